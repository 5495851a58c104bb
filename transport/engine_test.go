package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// engine is the whole of authtrip on a fake X: client, grants, transport, one
// http.Client for all users.
type engine struct {
	fake   *xapi.Server
	origin string // of the API
	client *oauth.Client
	grants *grant.Keeper
	api    *http.Client
}

func newEngine(t *testing.T, o *transport.Options) *engine {
	t.Helper()
	e := &engine{fake: xapi.New(t, nil), origin: xAPI}
	o.Base = e.fake.Transport()
	e.open(t, "", o.Base, o)
	return e
}

// newLoopbackEngine is newEngine over HTTP, with so many connections to the
// API and the token endpoint together.
func newLoopbackEngine(t *testing.T, connections int) *engine {
	t.Helper()
	e := &engine{fake: xapi.New(t, nil)}
	server := httptest.NewServer(e.fake)
	t.Cleanup(server.Close)
	e.origin = server.URL
	base := &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}
	t.Cleanup(base.CloseIdleConnections)
	e.open(t, e.origin, base, &transport.Options{Base: base})
	return e
}

// open connects to the fake, which is at url, or in memory if that is empty.
// Token requests go through tokens.
func (e *engine) open(t *testing.T, url string, tokens http.RoundTripper, o *transport.Options) {
	t.Helper()
	app := oauthtest.ConfidentialApp()
	var err error
	e.client, err = oauth.New(e.fake.Provider(url), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: tokens}})
	if err != nil {
		t.Fatal(err)
	}
	e.grants, err = grant.New(e.client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.grants.Close(); err != nil {
			t.Error(err)
		}
	})
	rt, err := transport.New(e.grants, o)
	if err != nil {
		t.Fatal(err)
	}
	e.api = &http.Client{Transport: rt}
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
	req, err := http.NewRequestWithContext(e.grants.WithSubject(t.Context(), user), http.MethodGet, e.origin+xapi.PathEcho, nil)
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

// spreads are how the answers of the API come: together, or so that many a 401
// arrives when the refresh is long over.
var spreads = []struct {
	name   string
	jitter time.Duration
}{{"flat", 0}, {"late", 80 * time.Millisecond}}

func TestT3_StormOfTheEngine(t *testing.T) {
	for _, n := range []int{1000, 10_000} {
		for _, spread := range spreads {
			t.Run(fmt.Sprintf("%d,%s", n, spread.name), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					e := newEngine(t, new(transport.Options))
					e.login(t, "1")
					synctest.Wait()
					before := bubble.Goroutines()
					e.storm(t, n, spread.jitter)
					synctest.Wait()
					if after := bubble.Goroutines(); after > before {
						t.Errorf("goroutines = %d after the storm, %d before", after, before)
					}
				})
			})
		}
	}
}

// Over real connections, of which there are fewer than calls, the order of
// things differs from run to run. The counts are the same.
func TestT3_StormOverLoopback(t *testing.T) {
	for _, spread := range spreads {
		t.Run(spread.name, func(t *testing.T) {
			e := newLoopbackEngine(t, 128)
			e.login(t, "1")
			e.storm(t, 1000, spread.jitter)
		})
	}
}

// storm has n calls of user 1 meet a token that the API no longer accepts.
// Each answer of the API takes 20 ms, and up to jitter more.
func (e *engine) storm(t *testing.T, n int, jitter time.Duration) {
	t.Helper()
	e.fake.Set(func(k *xapi.Knobs) { k.Latency = 20 * time.Millisecond })
	e.fake.Inject(oauthtest.Match{Path: xapi.PathEcho}, oauthtest.Fault{Jitter: jitter}, -1)
	e.fake.ExpireAccess("")
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-begin
			if status := e.call(t, "1"); status != http.StatusOK {
				t.Errorf("a call ended with %d", status)
			}
		})
	}
	close(begin)
	wg.Wait()
	if got := e.fake.TokenCalls("refresh_token"); got != 1 {
		t.Errorf("refresh requests = %d, want 1", got)
	}
	if slices.ContainsFunc(e.fake.Grants(), func(g oauthtest.Grant) bool { return g.Ended == oauthtest.Reused }) {
		t.Error("a refresh token was used twice")
	}
}

func TestT3_ManyUsersThroughOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, new(transport.Options))
		const users, calls = 100, 20
		for i := range users {
			e.login(t, strconv.Itoa(i+1))
		}
		e.fake.Set(func(k *xapi.Knobs) { k.Latency = 20 * time.Millisecond })
		e.fake.ExpireAccess("")
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

// ownTokens is a program's source: it is a Keeper in everything but its tokens.
type ownTokens struct{ *grant.Keeper }

func (ownTokens) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "a-token-of-the-program"}, nil
}

// A Keeper has ready headers for its own tokens. A source that embeds a Keeper
// and supplies other tokens gets those sent.
func TestASourceThatEmbedsAKeeperSendsItsOwnTokens(t *testing.T) {
	e := newEngine(t, &transport.Options{})
	e.login(t, "7")
	for _, tt := range []struct {
		name string
		src  tokensource.Source
		own  bool
	}{
		{"by value", ownTokens{e.grants}, true}, {"by pointer", &ownTokens{e.grants}, true}, {"the Keeper itself", e.grants, false},
	} {
		base := &script{answers: []answer{ok200}}
		req := newRequest(t, "GET", xAPI, nil)
		roundTrip(t, newTransport(t, tt.src, base, transport.Options{}), req.WithContext(e.grants.WithSubject(req.Context(), "7")))
		if got := base.auths(); (got == "Bearer a-token-of-the-program") != tt.own || !strings.HasPrefix(got, "Bearer ") {
			t.Errorf("%s: sent with %q, want the program's token: %v", tt.name, got, tt.own)
		}
	}
}
