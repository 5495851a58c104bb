// Package members reads the members of an object that a server has sent, in
// whatever form the server has sent it (G14).
//
// Servers differ in form more than in content: a byte order mark, a media type
// that is wrong or missing, the encoding of forms in place of JSON, an answer
// that goes on after its object. None of that changes what the members say. So
// this package looks at the bytes only, and refuses nothing that can be read.
// It says whether a member is there twice and whether the object was complete.
// Its callers decide what that means.
//
// All functions are safe for concurrent use. The values can be secrets, so
// nothing here puts them into an error.
package members

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// Object is what was read of an object. The zero Object has no members.
type Object struct {
	list []member

	// Whole says that the object was read to its end. Otherwise the members are
	// those before the place where it was cut off, or is not valid JSON.
	Whole bool
}

// member is one member. A value of the encoding of forms is a JSON string.
type member struct {
	name  string
	value json.RawMessage
}

// Read returns the members of an object in JSON or in the encoding of forms
// ([RFC 6749] appendix B). The second result is false if body is neither.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func Read(body []byte) (Object, bool) {
	body = bytes.TrimSpace(text(body))
	switch {
	case len(body) == 0:
		return Object{}, false
	case body[0] == '{':
		return readJSON(body), true
	case body[0] == '"': // an object that was encoded twice
		var inner string
		if json.Unmarshal(body, &inner) == nil && strings.HasPrefix(strings.TrimSpace(inner), "{") {
			return readJSON([]byte(inner)), true
		}
		return Object{}, false
	}
	if o, ok := readForm(string(body)); ok {
		return o, true
	}
	return readBehind(body)
}

// readBehind reads an object at the end of body, behind text of any kind. Some
// servers print a warning of their own before the answer. A page that has an
// object inside is none: more follows there.
func readBehind(body []byte) (Object, bool) {
	const attempts = 16
	for range attempts {
		start := objectStart.FindIndex(body)
		if start == nil {
			break
		}
		body = body[start[0]:]
		object := mended(body)
		dec := json.NewDecoder(bytes.NewReader(object))
		if list, whole := readMembers(dec, nil); whole && int(dec.InputOffset()) == len(object) {
			return Object{list: list, Whole: true}, true
		}
		body = body[1:]
	}
	return Object{}, false
}

// objectStart is where an object may begin.
var objectStart = regexp.MustCompile(`\{[ \t\r\n]*"`)

// text returns body in UTF-8 and without a byte order mark. Of an object in
// UTF-16 without such a mark, the NUL beside the brace shows the order.
func text(body []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return body[3:]
	case bytes.HasPrefix(body, []byte("\xff\xfe")):
		order, body = binary.LittleEndian, body[2:]
	case bytes.HasPrefix(body, []byte("\xfe\xff")):
		order, body = binary.BigEndian, body[2:]
	case bytes.HasPrefix(body, []byte("{\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(body, []byte("\x00{")):
		order = binary.BigEndian
	default:
		return body
	}
	var units []uint16
	for pairs := body; len(pairs) >= 2; pairs = pairs[2:] {
		units = append(units, order.Uint16(pairs))
	}
	return []byte(string(utf16.Decode(units)))
}

// readJSON reads an object, and one that follows it. The members of both are
// members of the result. So a token that is in both is there twice.
func readJSON(body []byte) (o Object) {
	body = mended(body)
	for {
		dec := json.NewDecoder(bytes.NewReader(body))
		if o.list, o.Whole = readMembers(dec, o.list); !o.Whole {
			return o
		}
		body = bytes.TrimSpace(body[dec.InputOffset():])
		if len(body) == 0 || body[0] != '{' {
			return o // a server that adds a warning has answered all the same
		}
	}
}

// readMembers appends the members of one object to list. It reports whether the
// object is complete.
func readMembers(dec *json.Decoder, list []member) ([]member, bool) {
	if _, err := dec.Token(); err != nil {
		return list, false
	}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return list, false
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return list, false
		}
		list = append(list, member{name, value})
	}
	_, err := dec.Token()
	return list, err == nil
}

// readForm reads the encoding of forms. Text that is none, such as HTML, has
// characters that this encoding never has. Some servers leave spaces and
// letters beyond ASCII as they are: so a form with a member that only answers
// of a token endpoint have may contain them.
func readForm(body string) (Object, bool) {
	pairs := strings.Split(body, "&")
	allowed := strings.Contains(body, "=") && !strings.ContainsFunc(body, neverInForms)
	if !allowed && (strings.ContainsAny(body, `<>"{}`) || !slices.ContainsFunc(pairs, ofTokenEndpoint)) {
		return Object{}, false
	}
	o := Object{Whole: true}
	for _, pair := range pairs {
		rawName, rawValue, _ := strings.Cut(strings.TrimSpace(pair), "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			continue
		}
		text, err := url.QueryUnescape(rawValue)
		if err != nil {
			text = rawValue
		}
		if value, err := json.Marshal(text); err == nil {
			o.list = append(o.list, member{name, value})
		}
	}
	return o, true
}

func neverInForms(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`<>"{}[]\^`+"`", r)
}

func ofTokenEndpoint(pair string) bool {
	name, _, found := strings.Cut(strings.TrimSpace(pair), "=")
	return found && (name == "access_token" || name == "refresh_token" || name == "error")
}
