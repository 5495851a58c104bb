//go:build linux

package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// setup is what the processes of a fleet have in common.
type setup struct {
	Server  string        // URL of the fake
	Store   string        // see openStore
	Timeout time.Duration // of a token request; the lease is ten seconds longer. Zero means 20 seconds
	Recheck time.Duration // of grant.Options
	Hasty   bool          // see storeTimeout
	Keys    string        // seal the store, and tokens are bound to keys; or empty
	Floor   string        // directory of a floor that makes the calls instead; empty means none
	Mass    *massWork     // the process does this, and nothing else; or nil
}

// storeTimeout returns how long one operation of the store may take. It is long
// enough for a disk that serves other work. How long a process watches the
// intent of another one depends on it, so a process that takes over is hasty.
func (s setup) storeTimeout() time.Duration {
	if s.Hasty {
		return 10 * time.Second
	}
	return time.Minute
}

var scopes = []string{"tweet.read", "users.read", "offline.access"}

// engine is the grant engine of one process.
type engine struct {
	setup
	grants *grant.Keeper
	store  storage.Store
	api    *http.Client
	source tokensource.Renewer // of the tokens for calls
	close  func() error
}

// open opens the engine. Its store and its token requests pass by p.
func (s setup) open(ctx context.Context, p *points, onEvent func(context.Context, tokensource.Event)) (*engine, error) {
	wire := http.DefaultTransport.(*http.Transport).Clone()
	wire.MaxIdleConnsPerHost = 64
	client, err := s.client(newPassingWire(wire, p))
	if err != nil {
		return nil, err
	}
	store, closeStore, err := openStore(ctx, s.Store)
	if err != nil {
		return nil, err
	}
	passes, err := s.sealed(passing(store, p))
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	grants, err := grant.New(client, passes, &grant.Options{
		RenewSpacing: time.Nanosecond, Recheck: s.Recheck, StoreTimeout: s.storeTimeout(), OnEvent: onEvent,
		InsecurePlainStore: true, // no key: a test of the engine may read what is stored
	})
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	api, source := &http.Client{Transport: wire}, tokensource.Renewer(grants)
	if s.Floor != "" {
		source = &floor{s.Floor, s.Server, api}
	}
	return &engine{s, grants, store, api, source, func() error {
		wire.CloseIdleConnections()
		return errors.Join(grants.Close(), closeStore())
	}}, nil
}

func (s setup) client(wire http.RoundTripper) (*oauth.Client, error) {
	fake, err := xapi.NewServer(nil) // only to describe the real one
	if err != nil {
		return nil, err
	}
	app, proofs := oauthtest.ConfidentialApp(), tokensource.Proofs(nil)
	if s.Keys != "" {
		if proofs, err = jose.NewDPoP(nil); err != nil {
			return nil, err
		}
	}
	return oauth.New(fake.Provider(s.Server), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: scopes,
	}, &oauth.Options{Timeout: s.Timeout, HTTPClient: &http.Client{Transport: wire}, Proofs: proofs})
}

// sealed seals the store if grants hold private keys.
func (s setup) sealed(store storage.Store) (storage.Store, error) {
	if s.Keys == "" {
		return store, nil
	}
	keys, err := seal.ParseKeys(s.Keys)
	if err != nil {
		return nil, err
	}
	return storage.Sealed(store, keys)
}

// call makes one API call for subject, as a program does: a 401 renews the
// token and repeats the call.
func (e *engine) call(ctx context.Context, subject string) message {
	start := time.Now()
	ctx = withUser(e.grants.WithSubject(ctx, subject), subject)
	var m message
	tok, err := e.source.Token(ctx)
	for range 3 {
		if err != nil {
			break
		}
		if m.Status, err = e.me(ctx, tok, subject); err != nil || m.Status != http.StatusUnauthorized {
			break
		}
		tok, err = e.source.Renew(ctx, tok)
	}
	m.Took = time.Since(start)
	return m.with(err)
}

// me asks the API whose token tok is: it must be subject's.
func (e *engine) me(ctx context.Context, tok *oauth2.Token, subject string) (int, error) {
	resp, err := e.ask(ctx, tok, true)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp.StatusCode, err
	}
	var user struct{ Data struct{ ID string } }
	if err := json.Unmarshal(body, &user); err != nil {
		return 0, err
	}
	if user.Data.ID != subject {
		return 0, fmt.Errorf("fleet: the token for %s is that of %q", subject, user.Data.ID)
	}
	return resp.StatusCode, nil
}

// ask sends the request, and once more if the API wants a nonce.
func (e *engine) ask(ctx context.Context, tok *oauth2.Token, again bool) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Server+xapi.PathMe, nil)
	if err != nil {
		return nil, err
	}
	if e.Keys == "" {
		tok.SetAuthHeader(req)
		return e.api.Do(req)
	}
	if err := proving.Carry(req, tok); err != nil {
		return nil, err
	}
	resp, err := e.api.Do(req)
	if err != nil || !proving.Observed(req, resp) || !again {
		return resp, err
	}
	resp.Body.Close()
	return e.ask(ctx, tok, false)
}
