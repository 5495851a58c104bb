// Package tokensource supplies access tokens: the Source contract, an OAuth 2.0 client (authorization URL, exchange,
// refresh, revocation), and the grant engine that keeps every user's grant alive when refresh tokens are single-use, when
// many processes share them, and when a process dies at the worst moment.
package tokensource

import (
	"context"

	"golang.org/x/oauth2"
)

// Source supplies the access token for the subject that ctx names (WithSubject), or for its one subject.
// Implementations are safe for concurrent use. The token returned is shared: nobody may change it.
type Source interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// Renewer is a Source that can replace a token which a resource server has rejected.
type Renewer interface {
	Source

	// Renew returns a valid token other than rejected. It redeems a refresh token only if the stored grant still
	// holds rejected; whoever comes later with the same rejected token gets the new one at no cost. It returns
	// ErrJustRenewed when rejected is itself moments old, so that another refresh would not help.
	Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error)
}

// Originer is a Source that knows at which resource servers its tokens are meant to be used.
type Originer interface {
	// APIOrigins returns origins such as "https://api.x.com".
	APIOrigins() []string
}

type subjectKey struct{}

// WithSubject returns a context that names the subject (the user, as the authorization server knows it) whose token a
// Source shall supply. One http.Client thus serves every user.
func WithSubject(ctx context.Context, subject string) context.Context {
	return context.WithValue(ctx, subjectKey{}, subject)
}

// SubjectFrom returns the subject that WithSubject put into ctx, and whether there is one.
func SubjectFrom(ctx context.Context) (string, bool) {
	subject, _ := ctx.Value(subjectKey{}).(string)
	return subject, subject != ""
}
