package oauth

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource"
)

const userAgent = "authtrip"

// call is what a Client asks of the authorization server.
type call struct {
	op, endpoint string
	form         url.Values // without the client's authentication
	how          how

	// singleUse says that form contains a credential which the server may
	// accept once only: an authorization code or a refresh token. Only a
	// challenge for a nonce repeats such a call.
	singleUse bool
}

// how is the form of a call that is not the usual one.
type how struct {
	method string // empty means POST
	auth   string // one of Provider.Revocation.Auth; empty means as the client authenticates
	token  string // for auth "token"
	json   bool
	query  bool // the parameters are in the URL
}

// answer is what the server answered. The zero answer means that there was
// none.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	cut     error     // why body is not complete, or nil
	sent    time.Time // when the request was sent
	secrets []string  // what the request contained, and an error must not repeat
	again   bool      // the request is to be sent once more
}

// success reports whether the server says that it did what it was asked.
func (a answer) success() bool { return a.status >= 200 && a.status <= 299 }

// refuses reports whether a is a refusal of the authorization server itself: a
// 4xx with an error code. Such a server redeemed nothing. After
// an outage nothing is repeated within this call. Package grant decides about
// the next attempt (G3).
func (a answer) refuses(code string) bool {
	return a.status >= 400 && a.status <= 499 && code != ""
}

// code returns the error code of RFC 6749 section 5.2 as the server wrote it,
// or an empty one.
func (a answer) code() string {
	return members.Text(read(a.body).At("error"))
}

// refusesClient reports whether the server refused the client's authentication.
// Servers use both codes for it: RFC 6749 section 5.2 has invalid_client, and X
// sends unauthorized_client with 401.
func (a answer) refusesClient() bool {
	if a.success() {
		return false
	}
	code := a.code()
	return code == "invalid_client" || code == "unauthorized_client" && a.status == http.StatusUnauthorized
}

// post sends a call, authenticated as the client. If there is no answer, the
// error is a *tokensource.Error whose InDoubt says whether the form may have
// reached the server.
func (c *Client) post(ctx context.Context, call call) (answer, error) {
	leave, err := c.limits.enter(ctx, call.op)
	if err != nil {
		return answer{}, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(backchannel.With(ctx), c.timeout)
	defer cancel()
	call.endpoint = c.moves.now(ctx, call.endpoint)
	credential := c.registration.Credential
	secret, err := credential.current(ctx)
	if err != nil {
		return answer{}, unprepared(call.op, err)
	}
	a, err := c.attempt(ctx, call, secret)
	if err == nil && a.again {
		a, err = c.attempt(ctx, call, secret)
	}
	if err == nil && !call.singleUse && a.refusesClient() {
		if changed, ok := credential.changed(ctx, secret); ok {
			return c.attempt(ctx, call, changed)
		}
	}
	return a, err
}

// attempt sends a call once.
func (c *Client) attempt(ctx context.Context, call call, secret string) (answer, error) {
	r, err := c.prepared(ctx, call, secret)
	if err != nil {
		return answer{}, unprepared(call.op, err)
	}
	var s sending
	text, mediaType := encoded(r.Form(), call.how.json || c.provider.TokenJSON && asksForToken(call.op))
	req, err := formRequest(ctx, call.endpoint, text, &s)
	if err != nil {
		return answer{}, &tokensource.Error{Op: call.op, Err: err}
	}
	r.Header().Set("Content-Type", mediaType)
	call.how.shape(req, r.Header())
	if call.how.query {
		if err := moveToQuery(req, text, &s); err != nil {
			return answer{}, unprepared(call.op, err)
		}
	}
	a, err := c.send(call.op, req, &s)
	c.moves.observe(a, err)
	a.secrets = append(r.secrets(), secret)
	if err == nil {
		a.again = c.observed(r, a, call.singleUse)
	}
	return a, err
}

// observed shows an answer to what has authenticated the request, and to what
// has proved it. It reports whether the request is to be sent once more.
func (c *Client) observed(r *TokenRequest, a answer, singleUse bool) (again bool) {
	by := c.registration.Credential.observer()
	if by == nil && c.prover == nil {
		return false
	}
	code := a.code()
	if by != nil {
		again = by.Observe(r, a.header, code) && !singleUse
	}
	if c.prover != nil && c.prover().Observe(proving.TargetOf(r.URL), false, a.header, code) {
		// A challenge for a nonce is the only refusal after which a credential that
		// can be used once is sent again (RFC 9449 section 8).
		again = again || !singleUse || code == "use_dpop_nonce"
	}
	return again && a.refuses(code)
}

// observer sees the answers to requests that it has authenticated.
type observer interface {
	Observe(r *TokenRequest, header http.Header, code string) (again bool)
}

// observer returns what authenticates the client, if it sees the answers.
// Otherwise it returns nil.
func (c Credential) observer() observer {
	if c.by == nil {
		return nil
	}
	o, _ := c.by().(observer)
	return o
}

// prepared returns the request for one attempt: authenticated, prepared by the
// program, and with a proof that is made last.
func (c *Client) prepared(ctx context.Context, call call, secret string) (*TokenRequest, error) {
	form := maps.Clone(call.form)
	for name, values := range form {
		form[name] = slices.Clone(values)
	}
	if err := c.checkCertificate(); err != nil {
		return nil, err
	}
	r := NewTokenRequest(call.op, call.endpoint, c.registration.ClientID, form)
	r.Audience = cmp.Or(c.provider.AssertionAudience, c.provider.Issuer)
	r.Header().Set("Accept", "application/json")
	r.Header().Set("User-Agent", userAgent)
	if c.provider.ClientIDInBody && call.how.auth == "" {
		form.Set("client_id", c.registration.ClientID)
	}
	if err := c.authenticatorOf(call.how, secret).Authenticate(ctx, r); err != nil {
		return nil, fmt.Errorf("Authenticator: %w", err)
	}
	c.adapt(call, r)
	if c.prepare != nil {
		if err := c.prepare(ctx, r); err != nil {
			return nil, fmt.Errorf("Options.Prepare: %w", err)
		}
	}
	if c.prover != nil {
		proof, err := c.prover().Prove(ctx, http.MethodPost, proving.TargetOf(call.endpoint), "")
		if err != nil {
			return nil, fmt.Errorf("ProofKey: %w", err)
		}
		r.Header().Set(proving.Header, proof)
	}
	return r, nil
}

// unprepared is the failure of a request that could not be prepared. Nothing
// was sent. What failed belongs to the program, such as a key service, and may
// work later.
func unprepared(op string, err error) error {
	return &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: err}
}
