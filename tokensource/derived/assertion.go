package derived

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// An Assertion returns a signed statement about who the app or the user is: a
// JWT of the app itself, or the token of a workload from its platform. It is
// called for each token request and concurrently. An error makes the request
// fail with tokensource.ErrTemporary.
//
// All users of a source share the token that its assertion was traded for. So
// an Assertion cannot see for whom a caller asks: its context ends like that of
// the request, and has no values. For assertions about several users, make a
// source for each of them.
type Assertion func(ctx context.Context) (string, error)

// maxAssertion bounds an assertion, in bytes.
const maxAssertion = 64 << 10

// AssertionFile returns the Assertion that is in a file, such as the token that
// Kubernetes puts into a volume. The file is read for each token request,
// because the platform replaces it.
func AssertionFile(path string) Assertion {
	return func(context.Context) (string, error) {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer func() { _ = file.Close() }() // it was only read
		raw, err := io.ReadAll(io.LimitReader(file, maxAssertion+1))
		if err == nil && len(raw) > maxAssertion {
			err = errors.New("the file is too long")
		}
		return strings.TrimSpace(string(raw)), err
	}
}

// read returns the assertion to send in a request. No error has a part of it.
func (a Assertion) read(ctx context.Context, op string) (string, error) {
	ctx, cancel := unnamed(ctx)
	defer cancel()
	text, err := a(ctx)
	switch {
	case err != nil:
	case text == "" || len(text) > maxAssertion || !ascii.Visible(text):
		err = errors.New("it is empty, too long, or has characters that no assertion has")
	}
	if err != nil {
		return "", &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: fmt.Errorf("Assertion: %w", err)}
	}
	return text, nil
}

// unnamed returns a context without values that ends with ctx.
func unnamed(ctx context.Context) (context.Context, context.CancelFunc) {
	without, end := context.WithCancelCause(context.Background())
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	cancel := func() { stop(); end(context.Canceled) }
	if deadline, ok := ctx.Deadline(); ok {
		without, cancelTimer := context.WithDeadline(without, deadline)
		return without, func() { cancelTimer(); cancel() }
	}
	return without, cancel
}

// NewAssertionSource returns the source of tokens that an assertion is traded
// for ([RFC 7523] section 2.1). The assertion says who the app is. So
// AppCredentials may be without a Credential, and without an ID: then the
// request names no client, as the service accounts of Google want it. The
// options are those of oauth.New; nil means all defaults.
//
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
func NewAssertionSource(p *provider.Provider, a AppCredentials, assertion Assertion, o *oauth.Options) (*Source, error) {
	if assertion == nil {
		return nil, errors.New("derived: nil Assertion: use AssertionFile, or a function that signs one")
	}
	client, err := a.anonymous().client(p, o)
	if err != nil {
		return nil, err
	}
	return newSource(client, nil, nil, func(ctx context.Context, c *oauth.Client, _ *oauth2.Token) (*oauth2.Token, error) {
		text, err := assertion.read(ctx, "jwt_bearer")
		if err != nil {
			return nil, err
		}
		return c.ExtensionGrant(ctx, jwtBearer, a.form(url.Values{"assertion": {text}}))
	}), nil
}

// anonymous returns credentials that name no client, if a has no ID.
func (a AppCredentials) anonymous() AppCredentials {
	if a.ID == "" && a.Credential.IsZero() {
		a.ID, a.Credential = "none", oauth.Authentication(nobody{})
	}
	return a
}

// nobody authenticates a request that names no client.
type nobody struct{}

func (nobody) Authenticate(context.Context, *oauth.TokenRequest) error { return nil }
