package jose_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/transport"
)

// world is a server that verifies proofs, and an app with a grant there.
type world struct {
	*testing.T
	fake   *oauthtest.Server
	client *oauth.Client
	keeper *grant.Keeper
	store  storage.Store
}

func newWorld(t *testing.T, public bool) *world {
	t.Helper()
	w := &world{T: t, fake: oauthtest.New(t, &oauthtest.Options{Proofs: josetest.Proofs{}}), store: storage.NewMemory()}
	w.fake.Set(func(k *oauthtest.Knobs) { k.Proof.Nonces = true })
	app := oauthtest.ConfidentialApp()
	r := oauth.Registration{ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0]}
	if public {
		app = oauthtest.PublicApp()
		r = oauth.Registration{ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0]}
	}
	var err error
	if w.client, err = oauth.New(w.fake.Provider(""), r, &oauth.Options{
		HTTPClient: &http.Client{Transport: w.fake.Transport()}, Proofs: newDPoP(t, nil),
	}); err != nil {
		t.Fatal(err)
	}
	w.keeper = w.process()
	return w
}

// process is another process of the app.
func (w *world) process() *grant.Keeper {
	w.Helper()
	g, err := grant.New(w.client, w.store, nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = g.Close() })
	return g
}

// login logs the user in, as a program does that calls the Client itself.
func (w *world) login() *oauth2.Token {
	w.Helper()
	key, err := w.client.Proofs().NewKey(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return testworld.LogIn(w, w.fake, w.client.WithProver(key), w.keeper, "", "alice")
}

// http returns a client of the API.
func (w *world) http(src tokensource.Source) *http.Client {
	w.Helper()
	rt, err := transport.New(src, &transport.Options{Base: w.fake.Transport()})
	if err != nil {
		w.Fatal(err)
	}
	return &http.Client{Transport: rt}
}

// notes returns what the server noted of requests, without what is usual.
func (w *world) notes() (list []string) {
	for _, r := range w.fake.Requests() {
		for _, note := range r.Notes {
			if !slices.Contains([]string{"code issued", "code exchanged", "refreshed"}, note) {
				list = append(list, note)
			}
		}
	}
	return list
}

// A whole life, of a public and of a confidential client: login, requests,
// expiry, rejection, another process.
func TestAGrantThatIsBoundToAKey(t *testing.T) {
	for _, public := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, public)
			w.login()
			client := w.http(w.keeper.Source("alice"))
			get := func(c *http.Client) {
				t.Helper()
				resp, err := c.Get("https://api.example/things?q=1#f")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("GET = %d, want 200", resp.StatusCode)
				}
			}
			get(client)
			time.Sleep(3 * time.Hour)
			get(client)
			time.Sleep(time.Minute)
			w.fake.ExpireAccess(oauthtest.DefaultUser().ID)
			get(client)
			time.Sleep(3 * time.Hour)
			get(w.http(w.process().Source("alice")))
			if g := w.fake.Grants()[0]; g.Refreshes != 3 || g.Ended != "" {
				t.Errorf("public %v: the grant is %+v, want 3 refreshes", public, g)
			}
			if got := w.notes(); !slices.Equal(got, []string{"nonce challenge", "nonce challenge"}) {
				t.Errorf("public %v: the server noted %q, want one challenge of each server", public, got)
			}
		})
	}
}

// A nonce that changes costs nothing: each answer brings the next one.
func TestNoncesThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.login()
		w.fake.Set(func(k *oauthtest.Knobs) { k.Proof.NonceServes = 1 })
		client := w.http(w.keeper.Source("alice"))
		for range 20 {
			resp, err := client.Get("https://api.example/things")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("GET = %d, want 200", resp.StatusCode)
			}
		}
		if got := w.notes(); len(got) != 2 {
			t.Errorf("the server noted %q, want one challenge of each server", got)
		}
	})
}

// Requests with bodies are sent again after a challenge as long as that is
// possible, and a challenge that is repeated goes to the caller.
func TestChallengesOfAnAPI(t *testing.T) {
	for _, tt := range []struct {
		name   string
		body   io.Reader
		always bool
		sent   int
		status int
	}{
		{name: "no body", sent: 2, status: 200},
		{name: "a body with GetBody", body: strings.NewReader("body"), sent: 2, status: 200},
		{name: "a stream that is short", body: io.MultiReader(strings.NewReader("body")), sent: 2, status: 200},
		{name: "a stream that is long", body: io.MultiReader(bytes.NewReader(make([]byte, 1<<20))), sent: 1, status: 401},
		{name: "a server that always wants a nonce", always: true, sent: 2, status: 401},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, false)
			w.login()
			w.fake.Set(func(k *oauthtest.Knobs) { k.Proof.AlwaysChallenge = tt.always })
			client := w.http(w.keeper.Source("alice"))
			resp, err := client.Post("https://api.example/things", "text/plain", tt.body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			sent := len(w.fake.Requests(oauthtest.Match{Op: "api"}))
			if resp.StatusCode != tt.status || sent != tt.sent || w.fake.TokenCalls("refresh_token") != 0 {
				t.Errorf("%s: %d after %d requests and %d refreshes, want %d after %d and 0",
					tt.name, resp.StatusCode, sent, w.fake.TokenCalls("refresh_token"), tt.status, tt.sent)
			}
		})
	}
}

// redirecting sends the caller to further URLs, one after another.
type redirecting struct {
	base http.RoundTripper
	hops map[string]string
}

func (r redirecting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.base.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusOK && r.hops[req.URL.Path] != "" {
		resp.StatusCode = http.StatusTemporaryRedirect
		resp.Header.Set("Location", r.hops[req.URL.Path])
	}
	return resp, err
}

// Each hop of a redirect and each retry has a proof of its own, and another
// origin gets neither token nor proof.
func TestEachHopHasAProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.login()
		base := redirecting{w.fake.Transport(), map[string]string{"/a": "/b", "/b": "https://other.example/c"}}
		rt, err := transport.New(w.keeper.Source("alice"), &transport.Options{Base: base, Retry: &transport.RetryOptions{}})
		if err != nil {
			t.Fatal(err)
		}
		w.fake.Inject(oauthtest.Match{Path: "/a"}, oauthtest.Fault{Status: 503}, 1)
		resp, err := (&http.Client{Transport: rt}).Get("https://api.example/a")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		seen := map[string]bool{}
		var got []string
		for _, r := range w.fake.Requests() {
			proof := r.Raw().Header.Get("DPoP")
			if seen[proof] && proof != "" {
				t.Errorf("request %v has the proof of another one", r)
			}
			seen[proof] = true
			if r.Op == "api" || r.Foreign {
				got = append(got, fmt.Sprintf("%s %v %v", r.Path, proof != "", r.Raw().Header.Get("Authorization") != ""))
			}
		}
		want := []string{"/a true true", "/a true true", "/b true true", "/c false false"}
		if !slices.Equal(got, want) {
			t.Errorf("requests with proof and token: %q, want %q", got, want)
		}
	})
}

// The response is a stream, and it passes as it comes.
func TestAStreamPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := oauthtest.New(t, &oauthtest.Options{
			Proofs: josetest.Proofs{},
			Handle: func(_ *http.Request, _ oauthtest.Request, tok oauthtest.Token) *oauthtest.Answer {
				if tok.Dead != "" {
					return nil
				}
				return &oauthtest.Answer{Status: 200, Stream: io.NopCloser(strings.NewReader("event"))}
			},
		})
		w := &world{T: t, fake: fake, store: storage.NewMemory()}
		app := oauthtest.ConfidentialApp()
		var err error
		if w.client, err = oauth.New(fake.Provider(""), oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
		}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}, Proofs: newDPoP(t, nil)}); err != nil {
			t.Fatal(err)
		}
		w.keeper = w.process()
		w.login()
		resp, err := w.http(w.keeper.Source("alice")).Get("https://api.example/stream")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "event" || err != nil {
			t.Errorf("the stream is %q, %v, want the event", body, err)
		}
	})
}

// overriding is a program's own Source around a Keeper's.
type overriding struct {
	*grant.Source
	token *oauth2.Token
	err   error
}

func (o overriding) Token(ctx context.Context) (*oauth2.Token, error) {
	if o.token != nil || o.err != nil {
		return o.token, o.err
	}
	return o.Source.Token(ctx)
}

// A Source that embeds an engine gets its own tokens sent, of either type.
func TestASourceAroundAnEngine(t *testing.T) {
	away := errors.New("no token today")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		bound := w.login()
		source := w.keeper.Source("alice")
		for name, tt := range map[string]struct {
			src  overriding
			want string // the beginning of the header
			err  error
		}{
			"its engine's token":            {overriding{Source: source}, "DPoP " + bound.AccessToken, nil},
			"a Bearer token of its own":     {overriding{Source: source, token: &oauth2.Token{AccessToken: "own", TokenType: "Bearer"}}, "Bearer own", nil},
			"an error":                      {overriding{Source: source, err: away}, "", away},
			"a bound token without its key": {overriding{Source: source, token: &oauth2.Token{AccessToken: "own", TokenType: "DPoP"}}, "", transport.ErrTokenType},
		} {
			var got string
			base := roundTrip(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("Authorization")
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			})
			rt, err := transport.New(tt.src, &transport.Options{Base: base})
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/", nil)
			resp, err := rt.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: Authorization %q, %v, want %q, %v", name, got, err, tt.want, tt.err)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A wrong clock is noticed by the first API that refuses a proof, and costs one
// more request.
func TestAWrongClockCostsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.login()
		w.fake.Set(func(k *oauthtest.Knobs) { k.ClockSkew = 3 * time.Minute })
		client := w.http(w.keeper.Source("alice"))
		for range 2 {
			resp, err := client.Get("https://api.example/things")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if len(w.fake.Requests(oauthtest.Match{Op: "api"})) > 3 || w.fake.TokenCalls("refresh_token") > 0 {
				t.Errorf("%d requests and %d refreshes", len(w.fake.Requests(oauthtest.Match{Op: "api"})), w.fake.TokenCalls("refresh_token"))
			}
		}
	})
}
