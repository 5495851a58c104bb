package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxDocument is how many bytes of a DID document are read.
const maxDocument = 64 << 10

// document is what the AT Protocol reads of a DID document. Documents have
// other entries beside, in every form that the standard of DIDs allows. They
// are left unread.
type document struct {
	ID          string            `json:"id"`
	AlsoKnownAs []json.RawMessage `json:"alsoKnownAs"`
	Service     []json.RawMessage `json:"service"`
}

// service is one entry of a document.
type service struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Endpoint string `json:"serviceEndpoint"`
}

// document returns the document of a DID: from the directory for the method
// plc, and from the host that the DID names for the method web.
func (r *Resolver) document(ctx context.Context, did string) (*document, error) {
	place := r.directory + "/" + did
	if host, ok := strings.CutPrefix(did, "did:web:"); ok {
		place = "https://" + host + "/.well-known/did.json"
	}
	body, err := r.fetch(ctx, place, maxDocument)
	if err != nil {
		return nil, err
	}
	d := new(document)
	if json.Unmarshal(body, d) != nil {
		return nil, fmt.Errorf("%w: %s is no such document", ErrDocument, place)
	}
	if d.ID != did {
		return nil, fmt.Errorf("%w: %s is the document of %q", ErrDocument, place, cut(d.ID))
	}
	return d, nil
}

// handle returns the first valid handle that the document names, or "".
func (d *document) handle() string {
	for _, entry := range d.AlsoKnownAs {
		var name string
		if json.Unmarshal(entry, &name) != nil {
			continue
		}
		if raw, ok := strings.CutPrefix(name, "at://"); ok {
			if handle, err := parseHandle(raw); err == nil {
				return handle
			}
		}
	}
	return ""
}

// server returns the origin of the server that hosts the account: that of the
// first service with the right name and the right type ([DID documents]).
//
// [DID documents]: https://atproto.com/specs/did#did-documents
func (d *document) server() (string, error) {
	for _, entry := range d.Service {
		var s service
		if json.Unmarshal(entry, &s) != nil {
			continue
		}
		if (s.ID == "#atproto_pds" || s.ID == d.ID+"#atproto_pds") && s.Type == "AtprotoPersonalDataServer" {
			return origin(s.Endpoint)
		}
	}
	return "", errors.New("it names no server")
}
