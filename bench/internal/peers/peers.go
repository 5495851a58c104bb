// Package peers holds what is measured: authtrip, the libraries that people use
// today, and the floor, which is the cheapest code that does the same job
// correctly.
package peers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Names of the contenders, as the tables show them.
const (
	Base        = "no wrapper"
	Floor       = "floor"
	XOAuth2     = "x/oauth2 Transport"
	GCloud      = "cloud.google.com/go/auth"
	Azure       = "azcore BearerTokenPolicy"
	ClientGo    = "client-go cached source"
	Authtrip    = "authtrip, one subject"
	AuthtripCtx = "authtrip, subject in the context, one of 100,000"

	// Each request of these is another user's.
	FloorAll    = "floor, a map of header values"
	AuthtripAll = "authtrip"
	XOAuth2All  = "x/oauth2, a Transport for each user"
)

// life is how long the tokens of the contenders live: longer than any
// measurement.
const life = 12 * time.Hour

var errAsked = errors.New("peers: a token that lives for hours was asked for again")

// Token returns an expiring token of the given length: the one of subject 0.
func Token(length int) *oauth2.Token {
	return &oauth2.Token{AccessToken: Text(0, length), TokenType: "Bearer", Expiry: time.Now().Add(life)}
}

// Transport makes a contender that sends tok on whatever goes to origin.
type Transport struct {
	Name string
	New  func(base http.RoundTripper, tok *oauth2.Token, origin string) (http.RoundTripper, error)
}

// Transports returns the contenders, the bare base and the floor first. Those
// of authtrip belong to an Engine.
func Transports() []Transport {
	return []Transport{
		{Base, func(base http.RoundTripper, _ *oauth2.Token, _ string) (http.RoundTripper, error) { return base, nil }},
		{Floor, newFloor},
		{XOAuth2, func(base http.RoundTripper, tok *oauth2.Token, _ string) (http.RoundTripper, error) {
			return &oauth2.Transport{Source: reuse(tok), Base: base}, nil
		}},
		{GCloud, newGCloud},
		{ClientGo, newClientGo},
		{Azure, newAzure},
	}
}

// Source supplies a cached token.
type Source interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// once supplies a token one time: who asks again has not cached it.
type once struct {
	tok   *oauth2.Token
	asked bool
}

// Token implements oauth2.TokenSource.
func (o *once) Token() (*oauth2.Token, error) {
	if o.asked {
		return nil, errAsked
	}
	o.asked = true
	return o.tok, nil
}

func reuse(tok *oauth2.Token) oauth2.TokenSource {
	return oauth2.ReuseTokenSource(nil, &once{tok: tok})
}
