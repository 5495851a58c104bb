package transport_test

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/transport"
)

// engine is the whole of authtrip on a fake X: client, grants, transport, one http.Client for all users.
type engine struct {
	fake   *oauthtest.Server
	client *tokensource.Client
	grants *tokensource.Grants
	api    *http.Client
}

func newEngine(t *testing.T, o *transport.Options) *engine {
	t.Helper()
	e := &engine{fake: oauthtest.New(t, nil)}
	app := oauthtest.ConfidentialApp()
	var err error
	e.client, err = tokensource.NewClient(e.fake.Provider(""), tokensource.Registration{
		ClientID: app.ClientID, ClientSecret: app.Secret, RedirectURL: app.RedirectURLs[0], Scopes: []string{"offline.access"},
	}, &tokensource.ClientOptions{HTTPClient: &http.Client{Transport: e.fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	e.grants, err = tokensource.NewGrants(e.client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.grants.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Base = e.fake.Transport()
	rt, err := transport.New(e.grants, o)
	if err != nil {
		t.Fatal(err)
	}
	e.api = &http.Client{Transport: rt}
	return e
}

// login adds a user to the fake, who then authorizes the app.
func (e *engine) login(t *testing.T, user string) {
	t.Helper()
	if err := e.fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
		t.Fatal(err)
	}
	access, refresh, err := e.fake.IssueToken(user, e.client.ClientID())
	if err != nil {
		t.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(2 * time.Hour)}
	if _, err := e.grants.Save(t.Context(), user, tok); err != nil {
		t.Fatal(err)
	}
}

// call makes one call as user and returns the status.
func (e *engine) call(t *testing.T, user string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(tokensource.WithSubject(t.Context(), user), http.MethodGet, "https://api.x.com"+oauthtest.PathEcho, nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	resp, err := e.api.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestT3_TenThousandCallsWithOneRejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, new(transport.Options))
		e.login(t, "1")
		e.fake.Set(func(k *oauthtest.Knobs) { k.Latency = 20 * time.Millisecond })
		e.fake.ExpireAll()
		synctest.Wait()
		before := bubble.Goroutines()
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() {
				if status := e.call(t, "1"); status != http.StatusOK {
					t.Errorf("a call ended with %d", status)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := e.fake.TokenCalls("refresh_token"); n != 1 {
			t.Errorf("refresh requests = %d, want 1", n)
		}
		if e.fake.FamilyRevoked("1") {
			t.Error("a refresh token was used twice")
		}
		if after := bubble.Goroutines(); after > before {
			t.Errorf("goroutines = %d after the storm, %d before", after, before)
		}
	})
}

func TestT3_ManyUsersThroughOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, new(transport.Options))
		const users, calls = 100, 20
		for i := range users {
			e.login(t, strconv.Itoa(i+1))
		}
		e.fake.Set(func(k *oauthtest.Knobs) { k.Latency = 20 * time.Millisecond })
		e.fake.ExpireAll()
		var wg sync.WaitGroup
		for i := range users * calls {
			wg.Go(func() {
				if status := e.call(t, strconv.Itoa(i%users+1)); status != http.StatusOK {
					t.Errorf("a call ended with %d", status)
				}
			})
		}
		wg.Wait()
		if n := e.fake.TokenCalls("refresh_token"); n != users {
			t.Errorf("refresh requests = %d, want one for each of %d users", n, users)
		}
	})
}
