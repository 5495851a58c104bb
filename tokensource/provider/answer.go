package provider

import (
	"net/http"

	"github.com/authtrip/authtrip/internal/members"
)

// maxAnswerBody is how much of a body Provider.Classify sees, in bytes.
const maxAnswerBody = 64 << 10

// An Answer is an answer of an authorization server, or of IdentityURL, that
// did not do what was asked. Provider.Classify sees it as it came.
//
// Header, body, code and description are behind methods, because servers send
// back what they were sent. So nothing prints them with the Answer. They must
// not be put into errors or logs.
type Answer struct {
	// Op is what was asked: "push" for a pushed authorization request,
	// "exchange", "refresh", "client_credentials", "jwt_bearer",
	// "token_exchange", "device" for a request for a device code, "device_code"
	// for a request with one, "extension" for another extension grant, "revoke"
	// or "identity".
	Op string

	// Status is the HTTP status. It can be 200: some servers refuse with it.
	Status int

	content func() content // in a closure, so that nothing prints it
}

type content struct {
	header  http.Header
	body    []byte
	members members.Object
}

// NewAnswer returns an Answer. Package oauth makes them; this function is for
// tests of a Classify function. The body is cut to 64 KiB.
func NewAnswer(op string, status int, header http.Header, body []byte) Answer {
	body = body[:min(len(body), maxAnswerBody)]
	object, ok := members.Read(body)
	if !ok {
		object = members.List(body)
	}
	c := content{header, body, object}
	return Answer{Op: op, Status: status, content: func() content { return c }}
}

// Header returns the headers. They must not be changed.
func (a Answer) Header() http.Header { return a.read().header }

// Body returns at most the first 64 KiB of the body, after decompression. It
// must not be changed.
func (a Answer) Body() []byte { return a.read().body }

// Code returns the error code of [RFC 6749] section 5.2, or an empty one.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (a Answer) Code() string { return a.Member("error") }

// Description returns the error_description of the answer, or an empty one.
func (a Answer) Description() string { return a.Member("error_description") }

// Member returns the text of the member at a path, such as "errors.0.type": the
// names of members, and positions in lists, with dots between them. The body
// can be JSON or form-encoded, whatever its media type. If it is a list, the
// path begins with a position. A number or a Boolean is returned as it is
// written. There is no text for a null, for a list or an object, for a member
// that is there twice, or where the path leads nowhere.
func (a Answer) Member(path string) string {
	return members.Text(a.read().members.At(path))
}

func (a Answer) read() content {
	if a.content == nil {
		return content{}
	}
	return a.content()
}
