package atproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxDocument is how many bytes of a DID document are read.
const maxDocument = 64 << 10

// document is what the AT Protocol reads of a DID document.
type document struct {
	ID          string   `json:"id"`
	AlsoKnownAs []string `json:"alsoKnownAs"`
	Service     []struct {
		ID       string          `json:"id"`
		Type     string          `json:"type"`
		Endpoint json.RawMessage `json:"serviceEndpoint"` // a text, or an object of other services
	} `json:"service"`
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

// handle returns the handle that the document names first, or "".
func (d *document) handle() string {
	for _, name := range d.AlsoKnownAs {
		if raw, ok := strings.CutPrefix(name, "at://"); ok {
			handle, err := parseHandle(raw)
			if err != nil {
				return ""
			}
			return handle
		}
	}
	return ""
}

// server returns the origin of the server that hosts the account.
func (d *document) server() (string, error) {
	for _, s := range d.Service {
		if s.ID != "#atproto_pds" && s.ID != d.ID+"#atproto_pds" {
			continue
		}
		var endpoint string
		if s.Type != "AtprotoPersonalDataServer" || json.Unmarshal(s.Endpoint, &endpoint) != nil {
			return "", errors.New("its service #atproto_pds is of another type")
		}
		return origin(endpoint)
	}
	return "", errors.New("it names no server")
}
