package oauth

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Identity asks the provider who the user is that tok was issued for. It is meant to be called once, right after
// Exchange: grants are kept by user, since a second login may end the first one's tokens. It returns an *tokensource.Error, with
// ErrTemporary if it is worth trying again.
func (c *Client) Identity(ctx context.Context, tok *oauth2.Token) (provider.Identity, error) {
	const op = "identity"
	if tok == nil || tok.AccessToken == "" {
		return provider.Identity{}, errors.New("oauth: Identity needs a token")
	}
	if c.provider.IdentityURL == "" {
		return provider.Identity{}, &tokensource.Error{Op: op, Err: errors.ErrUnsupported, Hint: "the provider has no IdentityURL: say who the user is in another way"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.provider.IdentityURL, nil)
	if err != nil {
		return provider.Identity{}, &tokensource.Error{Op: op, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	req.Header.Set("User-Agent", userAgent)
	a, err := c.send(op, req, new(atomic.Bool))
	if err != nil {
		return provider.Identity{}, err
	}
	if a.status != http.StatusOK {
		return provider.Identity{}, identityFailure(op, a)
	}
	id, err := c.provider.ParseIdentity(a.body)
	if err == nil && id.Subject == "" {
		err = errors.New("the provider named no subject")
	}
	if err != nil {
		return provider.Identity{}, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: a.status, Err: err}
	}
	return id, nil
}

func identityFailure(op string, a answer) *tokensource.Error {
	e := &tokensource.Error{Op: op, Status: a.status, Kind: tokensource.ErrClient}
	switch {
	case a.status == http.StatusUnauthorized:
		e.Kind, e.Reason = tokensource.ErrReauthorize, tokensource.ReasonRefused
	case a.status == http.StatusForbidden:
		e.Hint = "the token lacks a scope that this call needs (at X: users.read and tweet.read), or the app lacks access to it"
	case a.status >= 500 || a.status == http.StatusTooManyRequests:
		e.Kind = tokensource.ErrTemporary
	}
	return e
}
