package oauth

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/internal/home"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/internal/reading"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Identity asks the provider which user tok was issued for. A program calls it
// once, directly after [Client.Exchange]: grants are kept by user, since a
// second login may end the tokens of the first. If the answer of the token
// endpoint names the user (Provider.IdentityInToken), no request is made: tok
// must be the token that Exchange returned.
//
// It returns a [*tokensource.Error]: ErrTemporary if a later call may succeed,
// ErrReauthorize if the token is not valid, and errors.ErrUnsupported if the
// provider has no IdentityURL.
func (c *Client) Identity(ctx context.Context, tok *oauth2.Token) (provider.Identity, error) {
	if tok == nil || tok.AccessToken == "" {
		return provider.Identity{}, errors.New("oauth: Identity needs a token")
	}
	if id, ok := reading.TokenIdentity(c.provider, tok.Extra); ok {
		return id, nil
	}
	if c.provider.IdentityURL == "" {
		return provider.Identity{}, &tokensource.Error{
			Op: opIdentity, Err: errors.ErrUnsupported, Hint: "the provider has no IdentityURL: find out in another way who the user is",
		}
	}
	a, err := c.get(ctx, c.identityURL(ctx, tok), tok)
	if err != nil {
		return provider.Identity{}, err
	}
	switch {
	case a.cut != nil:
		return provider.Identity{}, &tokensource.Error{Op: opIdentity, Kind: tokensource.ErrTemporary, Status: a.status, Err: a.cut}
	case !a.success():
		return provider.Identity{}, c.identityFailure(a, nil)
	}
	id, err := reading.Identity(c.provider, bytes.TrimPrefix(a.body, []byte("\ufeff")))
	if err == nil && id.Subject == "" {
		err = errors.New("the provider named no subject")
	}
	if err != nil {
		return provider.Identity{}, c.identityFailure(a, err)
	}
	return id, nil
}

// identityURL returns where the user of tok is asked for. A token of Exchange
// knows its server.
func (c *Client) identityURL(ctx context.Context, tok *oauth2.Token) string {
	if origin, ok := tok.Extra(c.provider.TokenHostParam).(string); ok {
		ctx = home.With(ctx, origin)
	}
	return c.homeOf(ctx, c.moves.known(c.provider.IdentityURL))
}

// get asks who the user of tok is. The request carries tok as a Bearer token,
// or with a proof if it is bound to a key. A challenge for a nonce is answered
// once.
func (c *Client) get(ctx context.Context, endpoint string, tok *oauth2.Token) (answer, error) {
	leave, err := c.limits.enter(ctx, opIdentity)
	if err != nil {
		return answer{}, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(backchannel.With(ctx), c.timeout)
	defer cancel()
	a, again, err := c.getOnce(ctx, endpoint, tok)
	if err == nil && again {
		a, _, err = c.getOnce(ctx, endpoint, tok)
	}
	if len(tok.AccessToken) >= minSecret {
		a.secrets = []string{tok.AccessToken}
	}
	return a, err
}

func (c *Client) getOnce(ctx context.Context, endpoint string, tok *oauth2.Token) (a answer, again bool, err error) {
	if err := c.checkCertificate(); err != nil {
		return answer{}, false, unprepared(opIdentity, err)
	}
	asked := c.provider.IdentityRequest
	req, err := http.NewRequestWithContext(ctx, asked.Method, endpoint, strings.NewReader(asked.Body))
	if err != nil {
		return answer{}, false, &tokensource.Error{Op: opIdentity, Err: err}
	}
	req.Header.Set("User-Agent", userAgent)
	for name, value := range c.provider.API.Headers {
		req.Header.Set(name, value)
	}
	maps.Copy(req.Header, asked.Header.Clone())
	if err := proving.Carry(req, tok); err != nil {
		return answer{}, false, unproven(err)
	}
	c.moveToken(req.Header)
	a, err = c.send(opIdentity, req, new(sending))
	if err != nil {
		return a, false, err
	}
	again = proving.Observed(req, &http.Response{StatusCode: a.status, Header: a.header})
	return a, again, nil
}

// unproven is the failure of a request that cannot carry its token.
func unproven(err error) error {
	if e, ok := errors.AsType[*tokensource.Error](err); ok {
		e.Op = opIdentity
		return e
	}
	return &tokensource.Error{Op: opIdentity, Err: err}
}

// identityFailure makes an answer that named no user into an error. The
// provider judges first (G16). Unread is why an answer with a status that means
// success could not be read.
func (c *Client) identityFailure(a answer, unread error) *tokensource.Error {
	verdict := reading.Judge(c.provider, provider.NewAnswer(opIdentity, a.status, a.header, a.body))
	e := &tokensource.Error{Op: opIdentity, Status: a.status, Hint: verdict.Hint, Err: unread}
	e.Code = redact.Text(verdict.Code, maxCode, a.secrets...)
	if verdict.Fixer == provider.ByDefault {
		verdict.Fixer = c.judgeIdentity(a)
	}
	if e.Hint == "" && verdict.Fixer == provider.OperatorFixes && a.status == http.StatusForbidden {
		e.Hint = "the token lacks a scope that this call needs (at X: users.read and tweet.read), or the app lacks access to it"
	}
	c.fixedBy(e, verdict.Fixer, a, verdict.Code)
	if verdict.Fixer == provider.TimeFixes && e.RetryAfter == 0 {
		e.RetryAfter, _ = limited(c.provider.API, a, time.Now())
	}
	return e
}

// judgeIdentity says who can fix that an answer named no user.
func (c *Client) judgeIdentity(a answer) provider.Fixer {
	_, limit := limited(c.provider.API, a, time.Now())
	switch {
	case limit, a.success(), a.status >= 500:
		return provider.TimeFixes
	case c.rejects(a):
		return provider.UserCanFix
	}
	return provider.OperatorFixes
}

// rejects reports whether an answer of the API says that a token is not valid.
func (c *Client) rejects(a answer) bool {
	statuses := c.provider.API.RejectedStatuses
	if statuses == nil {
		return a.status == http.StatusUnauthorized
	}
	return slices.Contains(statuses, a.status)
}
