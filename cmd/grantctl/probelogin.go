package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// flow is one login under way. Its verifier is in a closure.
type flow struct {
	state    string
	verifier func() string
}

func newFlow() flow {
	verifier := oauth2.GenerateVerifier()
	return flow{rand.Text(), func() string { return verifier }}
}

// page returns the authorization request, with PKCE or without.
func (p *probing) page(f flow, pkce bool) string {
	q := url.Values{"response_type": {"code"}, "client_id": {p.clientID}, "redirect_uri": {p.redirect}, "state": {f.state}}
	if p.scope != "" {
		q.Set("scope", p.scope)
	}
	if pkce {
		q.Set("code_challenge", oauth2.S256ChallengeFromVerifier(f.verifier()))
		q.Set("code_challenge_method", "S256")
	}
	if strings.Contains(p.authorize, "?") {
		return p.authorize + "&" + q.Encode()
	}
	return p.authorize + "?" + q.Encode()
}

// exchange sends a code.
func (p *probing) exchange(ctx context.Context, auth, code, verifier string) (*reply, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.redirect}}
	if verifier != "" {
		form.Set("code_verifier", verifier)
	}
	return p.post(ctx, p.token, auth, p.secret(), form)
}

// logIn returns an answer with tokens.
func (p *probing) logIn(ctx context.Context, c *console, f *findings, auth string) (r *reply, err error) {
	switch {
	case p.given:
		return p.askTokens(ctx, c)
	case p.code:
		r, err = p.askCode(ctx, c, auth)
	default:
		r, err = p.browse(ctx, c, f, auth, false)
	}
	switch {
	case err != nil:
		return nil, err
	case !r.good():
		return nil, fmt.Errorf("the code got no token: status %d, error %q", r.Status, withoutControls(r.Code))
	}
	f.works(auth)
	return r, nil
}

// browse has the user log in, and exchanges the code. With spoiled, it sends a
// verifier that is not that of the login.
func (p *probing) browse(ctx context.Context, c *console, f *findings, auth string, spoiled bool) (*reply, error) {
	if p.listens() {
		return p.listen(ctx, c, f, auth, spoiled)
	}
	login := newFlow()
	code, err := p.pasted(ctx, c, f, login)
	if err != nil {
		return nil, err
	}
	verifier := login.verifier()
	if spoiled {
		verifier = oauth2.GenerateVerifier()
	}
	return p.exchange(ctx, auth, code, verifier)
}

// verifier logs in once more and sends a wrong verifier. A server that issues
// tokens for that does not look at PKCE at all. All else is established by
// then, so a login that fails is no failure of the run.
func (p *probing) verifier(ctx context.Context, c *console, f *findings, auth string) error {
	if p.code || p.given || !p.agreed(ctx, c, "Log in once more, to find out whether the server compares the verifier of PKCE?") {
		return nil
	}
	r, err := p.browse(ctx, c, f, auth, true)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		fmt.Fprintln(c.stderr, "It was not established whether the verifier is compared:", withoutControls(err.Error()))
		return nil
	}
	if r.good() || r.refused() {
		f.WrongVerifier, f.VerifierCompared = r, new(!r.good())
	}
	if r.good() && r.refresh() != "" && p.revoke != "" {
		_, err = p.post(ctx, p.revoke, auth, p.secret(), url.Values{"token": {r.refresh()}, "token_type_hint": {"refresh_token"}})
	}
	return err
}

// pasted shows the page and reads the address that the browser ended at.
func (p *probing) pasted(ctx context.Context, c *console, f *findings, login flow) (string, error) {
	fmt.Fprintf(c.stderr, "Open this page and log in with a test account:\n\n%s\n\n", p.page(login, true))
	line, err := p.line(ctx, c, "Then paste the address that the browser ends at")
	if err != nil {
		return "", err
	}
	back, bad := url.Parse(line)
	if bad != nil || line == "" {
		return "", errors.New("that is no address of a login")
	}
	q := back.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(login.state)) != 1 {
		return "", errors.New("that is the address of another login: the state differs")
	}
	if q.Has("iss") && q.Get("iss") != p.issuer {
		return "", errors.New("the answer comes from another issuer than ISSUER")
	}
	if q.Get("code") == "" {
		return "", errors.New("the server sent no code: the login was refused")
	}
	f.IssInAnswer = new(q.Has("iss"))
	return q.Get("code"), nil
}

// askCode exchanges the code of a login that was made elsewhere.
func (p *probing) askCode(ctx context.Context, c *console, auth string) (*reply, error) {
	code, err := p.line(ctx, c, "Paste the code, or the address that has it")
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(code); err == nil && u.Query().Has("code") {
		code = u.Query().Get("code")
	}
	if code == "" {
		return nil, errors.New("that is no code")
	}
	verifier, err := p.line(ctx, c, "Paste the PKCE verifier of that login (empty: none)")
	if err != nil {
		return nil, err
	}
	return p.exchange(ctx, auth, code, verifier)
}

// askTokens reads the tokens of a login that was made elsewhere.
func (p *probing) askTokens(ctx context.Context, c *console) (*reply, error) {
	access, err := p.line(ctx, c, "Paste the access token (empty: none)")
	if err != nil {
		return nil, err
	}
	refresh, err := p.line(ctx, c, "Paste the refresh token (empty: none)")
	if err != nil {
		return nil, err
	}
	if access == "" && refresh == "" {
		return nil, errors.New("there is no token to go on with")
	}
	return &reply{access: func() string { return access }, refresh: func() string { return refresh }}, nil
}

// line asks for a line. It may be secret, so no error repeats it.
func (p *probing) line(ctx context.Context, c *console, question string) (string, error) {
	fmt.Fprint(c.stderr, question, ": ")
	line, err := readLine(ctx, p.in)
	if cause := context.Cause(ctx); cause != nil {
		fmt.Fprintln(c.stderr)
		return "", cause
	}
	line = strings.TrimSpace(line)
	if err != nil && line == "" {
		fmt.Fprintln(c.stderr)
		return "", errors.New("the input ended")
	}
	return line, nil
}
