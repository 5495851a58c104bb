package tokensource

import (
	"context"
	"net/http"

	"golang.org/x/oauth2"
)

// A Source supplies the access token for the subject that ctx names for it, see
// [WithSubject], or for its one subject. Implementations are safe for
// concurrent use. The token is shared: nobody may change it. A Source never
// returns a nil token without an error.
type Source interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// A Renewer is a Source that can replace a token which a resource server has
// rejected.
type Renewer interface {
	Source

	// Renew returns a valid token other than rejected. It redeems a refresh
	// token only if the stored grant still holds rejected. A later caller with
	// the same rejected token gets the new one at no cost. The error is
	// [ErrJustRenewed] if rejected was itself obtained moments ago, so that
	// another refresh would not help.
	Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error)
}

// A RequestAuthorizer is a Source that says how a request carries its token.
// Without it, package transport sends the token as a Bearer token ([RFC 6750]).
//
// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
type RequestAuthorizer interface {
	Source

	// Authorize sets the headers of r and returns the token that they carry. The
	// request belongs to the transport: Authorize may change its headers, and
	// must not keep it. Each time that a request is sent, also when it is sent
	// again, Authorize is called again. The context of r names the subject.
	Authorize(r *http.Request) (*oauth2.Token, error)

	// Observe sees each response to a request that Authorize prepared. It reports
	// whether the transport must send the request once more with the same token,
	// as after a nonce challenge. That is no renewal. Observe must not read or
	// close the body.
	Observe(r *http.Request, resp *http.Response) (again bool)
}

// A Scoper is a Source that knows where its tokens may go.
type Scoper interface {
	// APIOrigins returns the origins of the resource servers, such as
	// "https://api.x.com". With a nil token these are the origins of the provider.
	// Otherwise they are the origins that came with the grant of that token, and
	// those of the provider.
	APIOrigins(tok *oauth2.Token) []string

	// Endpoints returns the URLs of the authorization server's own endpoints. A
	// request to one of them never carries a token of this Source.
	Endpoints() []string
}
