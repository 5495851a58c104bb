package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/authtrip/authtrip/internal/ascii"
)

// assertionType says that an assertion is a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxAssertion bounds an assertion, in bytes. Servers accept far less.
const maxAssertion = 64 << 10

// AssertionFile returns the Credential of a client that authenticates with a
// JWT which another system keeps in a file ([RFC 7523] section 2.2). Platforms
// call this workload identity: Kubernetes, for example, writes such a token for
// each pod and replaces it before it expires.
//
// The file is read for each request. White space around the assertion is
// ignored. If the file is missing, empty, longer than 64 KiB or no text of one
// line, the request fails with tokensource.ErrTemporary and nothing is sent. No
// other method is tried. An empty path is refused by [New].
//
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
func AssertionFile(path string) Credential {
	return Authentication(assertion{from: "AssertionFile", missing: path == "", get: func(context.Context) (string, error) {
		return readAssertion(path)
	}})
}

// AssertionFunc is AssertionFile for an assertion that f returns, for example
// one that it asks an instance's metadata service for. The Client calls f for
// each request, under the context of the request and concurrently with itself.
// A nil f is refused by [New].
func AssertionFunc(f func(ctx context.Context) (string, error)) Credential {
	return Authentication(assertion{from: "AssertionFunc", missing: f == nil, get: f})
}

// assertion authenticates with what get returns.
type assertion struct {
	from    string // the function of this package that made it, for errors
	missing bool   // there is nothing to ask
	get     func(context.Context) (string, error)
}

func (a assertion) Authenticate(ctx context.Context, r *TokenRequest) error {
	text, err := a.get(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", a.from, err)
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return fmt.Errorf("%s: the assertion is empty", a.from)
	case len(text) > maxAssertion:
		return fmt.Errorf("%s: the assertion is longer than %d bytes", a.from, maxAssertion)
	case !ascii.Visible(text):
		return fmt.Errorf("%s: the assertion has white space inside, or characters beyond ASCII: it must be one JWT", a.from)
	}
	r.Form().Set("client_id", r.ClientID)
	r.Form().Set("client_assertion_type", assertionType)
	r.Form().Set("client_assertion", text)
	return nil
}

// check refuses an assertion that can come from nowhere.
func (a assertion) check() error {
	if a.missing {
		return errors.New(a.from + " has nothing to read: give it a path, or a function")
	}
	return nil
}

// Method returns the name of RFC 7591 for the method. How the assertion was
// signed is not known.
func (assertion) Method() (name, alg string) { return "private_key_jwt", "" }

// readAssertion reads at most one byte more than an assertion may have.
func readAssertion(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxAssertion+1))
	if err == nil && len(text) > maxAssertion { // also if white space is a part of it
		err = fmt.Errorf("the file is longer than %d bytes", maxAssertion)
	}
	return string(text), err
}
