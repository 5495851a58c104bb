package discovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/authtrip/authtrip/internal/members"
)

// A document is a JSON object of metadata. Members that nobody asks for are
// ignored. The first that cannot be used is remembered.
type document struct {
	place  string
	object members.Object
	loose  bool // http is allowed on loopback
	err    error
}

// parseDocument reads a JSON object.
func parseDocument(place string, body []byte, loose bool) (*document, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if !json.Valid(body) || body[0] != '{' {
		return nil, fmt.Errorf("%w: %s is no JSON object", ErrInvalid, place)
	}
	object, _ := members.Read(body)
	return &document{place: place, object: object, loose: loose}, nil
}

// into decodes a member. It reports whether the member is there: one that is
// null is not. A member that is there twice cannot be used, since two programs
// may read different values.
func (d *document) into(name string, v any) bool {
	raw, times := d.object.Raw(name)
	if times > 1 {
		d.fail(name, "is there twice")
		return false
	}
	if times == 0 || string(raw) == "null" {
		return false
	}
	if json.Unmarshal(raw, v) != nil {
		d.fail(name, fmt.Sprintf("has the wrong type, want %s", kindOf(v)))
		return false
	}
	return true
}

// kindOf returns what a member must be.
func kindOf(v any) string {
	switch v.(type) {
	case *string:
		return "a text"
	case *bool:
		return "true or false"
	case *[]string:
		return "a list of texts"
	}
	return "an object"
}

// fail remembers what is wrong with a member, if nothing was wrong before.
func (d *document) fail(name, what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s: %s %s", ErrInvalid, d.place, name, what)
	}
}

// text returns a member that is a string, or "".
func (d *document) text(name string) (s string) {
	d.into(name, &s)
	return s
}

// list returns a member that is a list of strings. It is nil if the member is
// missing, and not nil if the member is an empty list.
func (d *document) list(name string) (list []string) {
	d.into(name, &list)
	return list
}

// flag returns a member that is true or false.
func (d *document) flag(name string) (b bool) {
	d.into(name, &b)
	return b
}

// endpoint returns a member that is the URL of an endpoint, or "".
func (d *document) endpoint(name string) string {
	raw := d.text(name)
	if raw == "" {
		return ""
	}
	d.check(name, raw)
	return raw
}

// check remembers an endpoint that is no https URL.
func (d *document) check(name, raw string) {
	if _, err := parseURL(raw, d.loose); err != nil {
		d.fail(name, err.Error())
	}
}

// aliases returns the endpoints for clients with a certificate.
func (d *document) aliases(name string) map[string]string {
	var all map[string]json.RawMessage
	if !d.into(name, &all) {
		return nil
	}
	list := map[string]string{}
	for member, raw := range all {
		var endpoint string
		if json.Unmarshal(raw, &endpoint) != nil {
			d.fail(name, "has a member that is no text")
			return nil
		}
		if endpoint != "" {
			d.check(name, endpoint)
			list[member] = endpoint
		}
	}
	return list
}

// page returns a member that is the URL of a page for people, or "". It does
// not matter enough to refuse a server for it.
func (d *document) page(name string) string {
	var raw string
	value, times := d.object.Raw(name)
	if times != 1 || json.Unmarshal(value, &raw) != nil {
		return ""
	}
	if u, err := url.Parse(raw); err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return raw
}
