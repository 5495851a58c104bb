//go:build unix

package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// setup is what the processes of a fleet have in common.
type setup struct {
	Server  string              // URL of the fake X
	Store   string              // see openStore
	Timeout time.Duration       // of a token request; the lease is ten seconds longer
	Recheck time.Duration       // zero means the default
	InDoubt grant.InDoubtPolicy // zero means the default
	Faults  uint64              // seed of random faults of the store; zero means none
	Floor   string              // directory of a floor that makes the calls instead; empty means none
}

// What tells the fake whom a token request is for and which process sends it, so that its record can be read so.
const (
	subjectHeader = "X-Fleet-Subject"
	processHeader = "X-Fleet-Process"
)

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

// open opens the engine. Its store and its requests pass by p.
func (s setup) open(ctx context.Context, p *points, observe func(grant.Event)) (*engine, error) {
	wire := http.DefaultTransport.(*http.Transport).Clone()
	wire.MaxIdleConnsPerHost = 64
	client, err := s.client(wire, p)
	if err != nil {
		return nil, err
	}
	base, closeStore, err := openStore(ctx, s.Store)
	if err != nil {
		return nil, err
	}
	store := base
	if s.Faults != 0 {
		store = storagetest.NewFaulty(store, randomFaults(s.Faults))
	}
	store = &passing{store, p}
	if w, ok := base.(storage.Watcher); ok {
		store = struct {
			storage.Store
			storage.Watcher
		}{store, w}
	}
	grants, err := grant.New(client, store, &grant.Options{
		RenewSpacing: time.Nanosecond, Recheck: s.Recheck, InDoubt: s.InDoubt, Observe: observe,
	})
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	api, source := &http.Client{Transport: wire}, tokensource.Renewer(grants)
	if s.Floor != "" {
		source = &floor{s.Floor, s.Server, api}
	}
	return &engine{s, grants, base, api, source, func() error {
		wire.CloseIdleConnections()
		return errors.Join(grants.Close(), closeStore())
	}}, nil
}

func (s setup) client(wire http.RoundTripper, p *points) (*oauth.Client, error) {
	fake, err := xapi.NewServer(nil) // only to describe the real one
	if err != nil {
		return nil, err
	}
	app := oauthtest.ConfidentialApp()
	return oauth.New(fake.Provider(s.Server), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: scopes,
	}, &oauth.Options{
		Timeout:    s.Timeout,
		HTTPClient: &http.Client{Transport: &passingWire{wire, p}},
		Prepare: func(ctx context.Context, r *oauth.TokenRequest) error {
			subject, _ := tokensource.SubjectFrom(ctx)
			r.Header().Set(subjectHeader, subject)
			r.Header().Set(processHeader, strconv.Itoa(os.Getpid()))
			return nil
		},
	})
}

// call makes one API call for subject, as a program does: a 401 renews the token and repeats the call.
func (e *engine) call(ctx context.Context, subject string) message {
	start := time.Now()
	ctx = tokensource.WithSubject(ctx, subject)
	var m message
	tok, err := e.source.Token(ctx)
	for err == nil {
		if m.Status, err = e.me(ctx, tok, subject); err != nil || m.Status != http.StatusUnauthorized || m.Rejected == 3 {
			break
		}
		m.Rejected++
		tok, err = e.source.Renew(ctx, tok)
	}
	m.Took = time.Since(start)
	m.fail(err)
	return m
}

// me asks the API whose token tok is: it must be subject's.
func (e *engine) me(ctx context.Context, tok *oauth2.Token, subject string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Server+xapi.PathMe, nil)
	if err != nil {
		return 0, err
	}
	tok.SetAuthHeader(req)
	resp, err := e.api.Do(req)
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
		return 0, fmt.Errorf("the token for %s is that of %q", subject, user.Data.ID)
	}
	return resp.StatusCode, nil
}
