package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// listens reports whether probe can receive the answer to a login by itself.
func (p *probing) listens() bool {
	u, err := url.Parse(p.redirect)
	return !p.paste && err == nil && u.Scheme == "http" && loopback(u)
}

// tester is the subject of the grant of the test account. Nobody is asked who
// that is.
const tester = "probe"

// listen logs in by the browser on this machine, and returns the answer to the
// code. Package nativeapp checks state, path, host and issuer.
func (p *probing) listen(ctx context.Context, c *console, f *findings, auth string, spoiled bool) (*reply, error) {
	tap := &tap{target: &p.target, spoiled: spoiled}
	client, err := p.oauthClient(auth, tap)
	if err != nil {
		return nil, err
	}
	grants, err := grant.New(client, storage.NewMemory(), &grant.Options{DueInterval: -1})
	if err != nil {
		return nil, err
	}
	defer func() { _ = grants.Close() }() // nothing is written anywhere
	u, err := url.Parse(p.redirect)
	if err != nil {
		return nil, err
	}
	page := &shownPage{console: c}
	app, err := nativeapp.New(grants, &nativeapp.Options{Subject: tester, AnyPort: u.Port() == "", Open: page.show})
	if err != nil {
		return nil, err
	}
	_, err = app.Loopback(ctx, nil)
	page.end()
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return nil, cause
	case tap.got != nil: // what the answer says counts, and not what others make of it
	case errors.Is(err, nativeapp.ErrDenied):
		return nil, errors.New("the server sent no code: the login was refused")
	default:
		return nil, err
	}
	if tok, err := grants.Token(grants.WithSubject(ctx, tester)); err == nil {
		iss, _ := tok.Extra("iss").(string)
		f.IssInAnswer = new(iss != "")
	}
	return tap.got, nil
}

// shownPage shows the page of one login, in a goroutine of its own. After end
// it prints nothing any more, because the console belongs to others then.
type shownPage struct {
	console *console
	mu      sync.Mutex // guards ended; held while the page is shown, so that end waits for it
	ended   bool
}

func (s *shownPage) show(ctx context.Context, page string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return s.console.show(ctx, page)
}

func (s *shownPage) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// show opens the page of a login. It prints the page too, because the browser
// may have opened it in a window that nobody sees.
func (c *console) show(ctx context.Context, page string) error {
	fmt.Fprintf(c.stderr, "Log in with a test account, in the browser on this machine (-paste for another one):\n\n%s\n\n", page)
	if err := c.open(ctx, page); errors.Is(err, nativeapp.ErrNoBrowser) {
		fmt.Fprintln(c.stderr, "No browser could be opened: open the page yourself.")
	} else if err != nil {
		return err
	}
	return nil
}

// oauthClient returns a client that authenticates in the given way. Its
// provider has no place to revoke at, so that nothing ends the grant.
func (p *probing) oauthClient(auth string, carrier http.RoundTripper) (*oauth.Client, error) {
	at := &provider.Provider{
		Name: "probe", AuthorizationURL: p.authorize, TokenURL: p.token, Issuer: p.issuer, IssuerRequired: p.issRequired,
		KeepCallback: []string{"iss"}, InsecureLoopback: true,
		ClientAuth: map[string]provider.ClientAuth{authRaw: provider.BasicRaw, authPost: provider.Post}[auth],
	}
	r := oauth.Registration{ClientID: p.clientID, RedirectURL: p.redirect, Scopes: strings.Fields(p.scope)}
	if auth != authNone {
		r.Credential = oauth.Secret(p.secret())
	}
	return oauth.New(at, r, &oauth.Options{HTTPClient: &http.Client{Transport: carrier}})
}

// tap carries the one request with the code, and keeps the answer. It carries
// nothing else.
type tap struct {
	*target
	spoiled bool // send another verifier than that of the login
	got     *reply
}

var errTapped = errors.New("probe sends the code and nothing else")

// RoundTrip implements http.RoundTripper.
func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	form, err := formOf(req)
	if err != nil || t.got != nil || form.Get("grant_type") != "authorization_code" {
		return nil, errors.Join(errTapped, err)
	}
	if t.spoiled {
		form.Set("code_verifier", oauth2.GenerateVerifier())
	}
	body := form.Encode()
	sent := req.Clone(req.Context())
	sent.Body, sent.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	sent.GetBody = nil
	resp, err := t.http.Transport.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	t.got = read(resp, text, t.secrets(form))
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, nil
}

// formOf reads the form that a request posts.
func formOf(req *http.Request) (url.Values, error) {
	if req.Body == nil {
		return nil, errTapped
	}
	defer req.Body.Close()
	text, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(text))
}
