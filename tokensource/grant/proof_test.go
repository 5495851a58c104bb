package grant_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/opaquekeys"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// newBound is a world whose tokens are bound to keys, with nonces.
func newBound(t *testing.T) world {
	t.Helper()
	return world{testworld.New(t, new(opaquekeys.Proofs))}
}

// wantNoForeignKey fails the test if a request proved another key than the one
// of its grant, or carried a token in a way of the other type.
func (w world) wantNoForeignKey() {
	w.Helper()
	for _, r := range w.Fake.Requests() {
		for _, note := range []string{"another key", "token of another type", "bad proof", "proof used again"} {
			if slices.Contains(r.Notes, note) {
				w.Errorf("request %v", r)
			}
		}
	}
}

// send sends a request with the token of src, once more after a challenge.
func (w world) send(src tokensource.RequestAuthorizer) int {
	w.Helper()
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "https://api.x.com/2/users/me", nil)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := src.Authorize(req); err != nil {
			w.Fatal(err)
		}
		resp, err := w.Fake.Transport().RoundTrip(req)
		if err != nil {
			w.Fatal(err)
		}
		resp.Body.Close()
		if !src.Observe(req, resp) || try == 2 {
			return resp.StatusCode
		}
	}
}

// All refreshes of a grant are under the key of its login, in every process.
func TestRefreshesAreUnderTheKeyOfTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		one, two := w.Process(nil), w.Process(nil)
		w.Login(one)
		for range 3 {
			for _, g := range []*grant.Keeper{one, two} {
				time.Sleep(3 * time.Hour)
				w.Token(g)
				if status := w.send(g.Source(w.User)); status != http.StatusOK {
					t.Errorf("a request with the new token: %d, want 200", status)
				}
			}
		}
		w.wantNoForeignKey()
		if g := w.Fake.Grants()[0]; g.Refreshes != 6 || g.Thumbprint != "key-1" || !w.inspect().Bound {
			t.Errorf("the grant has %d refreshes under %q, want 6 under key-1", g.Refreshes, g.Thumbprint)
		}
	})
}

// A new login has a new key, and the old tokens are revoked.
func TestANewLoginHasANewKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		g := w.Process(nil)
		w.Login(g)
		time.Sleep(time.Minute)
		w.Login(g)
		if status := w.send(g.Source(w.User)); status != http.StatusOK {
			t.Errorf("a request with the new token: %d, want 200", status)
		}
		time.Sleep(3 * time.Hour)
		w.Token(g)
		w.wantNoForeignKey()
		if got := w.Fake.Grants()[1].Thumbprint; got != "key-2" {
			t.Errorf("the second login is bound to %q, want key-2", got)
		}
	})
}

// A key that is lost is no reason to send the tokens as Bearer tokens, or to
// end the grant: another process may have it (RFC 9449 section 11.3).
func TestAKeyThatCannotBeOpened(t *testing.T) {
	away := errors.New("the key service is away")
	for name, tt := range map[string]struct {
		err  error
		kind error
	}{
		"a lost key":               {tokensource.ErrKeyLost, tokensource.ErrReauthorize},
		"a key service that fails": {away, tokensource.ErrTemporary},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newBound(t)
			g := w.Process(nil)
			w.Login(g)
			w.Proofs.Err = func(string) error { return tt.err }
			other := w.Process(nil)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.x.com/2/users/me", nil)
			_, err := other.Source(w.User).Authorize(req)
			testworld.WantIs(t, err, tt.kind)
			testworld.WantIs(t, err, tt.err)
			if len(req.Header) != 0 {
				t.Errorf("%s: the request has headers %v, want none", name, req.Header)
			}
			time.Sleep(3 * time.Hour)
			_, err = other.Token(other.WithSubject(t.Context(), w.User))
			testworld.WantIs(t, err, tt.kind)
			testworld.WantIs(t, err, tt.err)
			if errors.Is(tt.err, tokensource.ErrKeyLost) {
				testworld.WantReason(t, err, tokensource.ReasonKeyLost)
			}
			w.WantRefreshes(0)
			if facts := w.inspect(); facts.Dead != "" || facts.Doubts != 0 || !facts.RedeemingSince.IsZero() {
				t.Errorf("%s: the grant is %+v, want it as it was", name, facts)
			}
			w.Proofs.Err = nil
			w.Token(other)
			w.WantRefreshes(1)
		})
	}
}

// A process without Proofs, as after a deployment that was rolled back, leaves
// a grant that is bound to a key alone.
func TestAProcessWithoutProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		w.Login(w.Process(nil))
		w.Client = w.NewClient(&oauth.Options{HTTPClient: w.Options.HTTPClient})
		g := w.Process(nil)
		time.Sleep(3 * time.Hour)
		_, err := g.Token(g.WithSubject(t.Context(), w.User))
		testworld.WantIs(t, err, tokensource.ErrClient)
		w.WantRefreshes(0)
		if facts := w.inspect(); facts.Dead != "" || !facts.Refreshable {
			t.Errorf("the grant is %+v, want it as it was", facts)
		}
	})
}

func TestSaveRefusesTokensWithoutTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, plain := newBound(t), newWorld(t)
		g, other := w.Process(nil), plain.Process(nil)
		bound := w.Login(g)
		copied := &oauth2.Token{AccessToken: bound.AccessToken, RefreshToken: bound.RefreshToken, TokenType: bound.TokenType}
		for name, tt := range map[string]struct {
			g   *grant.Keeper
			tok *oauth2.Token
		}{
			"a copy without the key":                {g, copied},
			"a copy, and a client without Proofs":   {other, copied},
			"a bound token, and no Proofs":          {other, bound},
			"a Bearer token, where keys are wanted": {g, &oauth2.Token{AccessToken: "a", TokenType: "Bearer"}},
		} {
			if _, err := tt.g.Save(t.Context(), w.User, tt.tok); err == nil {
				t.Errorf("Save(%s) = nil, want an error", name)
			}
		}
	})
}

// A server that answers a refresh with a Bearer token has redeemed the refresh
// token. What can be kept is stored, and the token is not used (G14).
func TestABearerTokenInPlaceOfABoundOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		g := w.Process(nil)
		w.Login(g)
		time.Sleep(3 * time.Hour)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.TokenType = "bearer" })
		_, err := g.Token(g.WithSubject(t.Context(), w.User))
		testworld.WantIs(t, err, tokensource.ErrClient)
		if errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("Token() = %v, want an error that is not temporary", err)
		}
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.TokenType = "" })
		time.Sleep(2 * time.Hour)
		w.Token(g) // with the refresh token that came
		w.WantRefreshes(2)
		w.wantNoForeignKey()
	})
}

// private are Proofs whose keys are in the grants.
type private struct{ proofs *opaquekeys.Proofs }

func (p private) NewKey(ctx context.Context) (tokensource.ProofKey, error) {
	return p.proofs.NewKey(ctx)
}

func (p private) OpenKey(ctx context.Context, stored string) (tokensource.ProofKey, error) {
	return p.proofs.OpenKey(ctx, stored)
}

// A private key is not stored in a store that is not sealed.
func TestPrivateKeysNeedASealedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		o := &oauth.Options{HTTPClient: w.Options.HTTPClient, Proofs: private{w.Proofs}}
		for name, tt := range map[string]struct {
			store storage.Store
			keys  *oauth.Client
			ok    bool
		}{
			"a plain store":                      {w.Store, w.NewClient(o), false},
			"a store that ends with the process": {storage.NewMemory(), w.NewClient(o), true},
			"a plain store, and names of keys":   {w.Store, w.Client, true},
		} {
			g, err := grant.New(tt.keys, tt.store, &grant.Options{InsecurePlainStore: true})
			if (err == nil) != tt.ok || !tt.ok && !errors.Is(err, storage.ErrPlain) {
				t.Errorf("New(%s) = %v, want success: %v", name, err, tt.ok)
			}
			if err == nil {
				_ = g.Close()
			}
		}
	})
}

// After a logout the key is gone too (G7).
func TestALogoutRemovesTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		g := w.Process(nil)
		w.Login(g)
		stored := func() []byte {
			r, err := w.Store.Store.Get(t.Context(), w.keyOf(w.User))
			if err != nil {
				t.Fatal(err)
			}
			return r.Value()
		}
		if !bytes.Contains(stored(), []byte("stored key-1")) {
			t.Error("the grant does not hold its key")
		}
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(stored(), []byte("stored key-1")) || w.inspect().Bound {
			t.Error("the key is in the record after the logout")
		}
	})
}

// Of two logins at the same time, the API says which tokens work: each is asked
// for under its own key.
func TestProbesAreUnderTheirOwnKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		one, two := w.Process(nil), w.Process(nil)
		w.Login(one)
		w.Login(two)
		if status := w.send(two.Source(w.User)); status != http.StatusOK {
			t.Errorf("a request with the token that stays: %d, want 200", status)
		}
		var keys []string
		for _, r := range w.Fake.Requests(oauthtest.Match{Op: "identity"}) {
			key, _, _ := strings.Cut(r.Raw().Header.Get("DPoP"), " ")
			keys = append(keys, key)
		}
		if !slices.Contains(keys, "key-1") || !slices.Contains(keys, "key-2") {
			t.Errorf("the API was asked under the keys %q, want both", keys)
		}
		w.wantNoForeignKey()
	})
}

// Authorize sets headers for both types of tokens, and one proof only.
func TestAuthorize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, plain := newBound(t), newWorld(t)
		for _, tt := range []struct {
			w      world
			scheme string
			proofs int
		}{{w, "DPoP ", 1}, {plain, "Bearer ", 0}} {
			g := tt.w.Process(nil)
			tok := tt.w.Login(g)
			for _, src := range []tokensource.RequestAuthorizer{g, g.Source(tt.w.User)} {
				req, _ := http.NewRequestWithContext(g.WithSubject(t.Context(), tt.w.User), http.MethodGet, "https://API.x.com:443?q=1", nil)
				req.Header["DPoP"], req.Header["dpop"] = []string{"mine"}, []string{"mine too"}
				got, err := src.Authorize(req)
				if err != nil || got.AccessToken != tok.AccessToken || req.Header.Get("Authorization") != tt.scheme+tok.AccessToken {
					t.Errorf("Authorize() = %v, with %q, want %q and the token", err, req.Header.Get("Authorization"), tt.scheme)
				}
				proofs := req.Header["Dpop"]
				if len(proofs) != tt.proofs || len(req.Header) != 1+tt.proofs {
					t.Errorf("Authorize(%s) sets proofs %q in %v, want %d", tt.scheme, proofs, req.Header, tt.proofs)
				}
				if tt.proofs > 0 && !strings.Contains(proofs[0], " GET https://api.x.com/ ") {
					t.Errorf("the proof is %q, want the URL as the server sees it", proofs[0])
				}
				resp := &http.Response{StatusCode: 401, Header: http.Header{
					"Dpop-Nonce": {"n"}, "Www-Authenticate": {`Bearer realm="x", dPoP algs="ES256", error="use_dpop_nonce"`},
				}}
				if again := src.Observe(req, resp); again != (tt.proofs > 0) {
					t.Errorf("Observe(a challenge to a %stoken) = %v", tt.scheme, again)
				}
				resp.StatusCode = 200
				if src.Observe(req, resp) {
					t.Error("Observe(a success) = true, want false")
				}
			}
		}
	})
}

// A nonce challenge is no renewal, no doubt and no failure.
func TestAServerThatAlwaysWantsANonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		g := w.Process(nil)
		w.Login(g)
		time.Sleep(3 * time.Hour)
		w.Fake.Set(func(k *xapi.Knobs) { k.Proof.AlwaysChallenge = true })
		before := len(w.Fake.Requests(oauthtest.Match{GrantType: "refresh_token"}))
		_, err := g.Token(g.WithSubject(t.Context(), w.User))
		if err == nil || errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("Token() = %v, want an error that is not the user's", err)
		}
		if n := len(w.Fake.Requests(oauthtest.Match{GrantType: "refresh_token"})) - before; n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
		if facts := w.inspect(); facts.Dead != "" || facts.Doubts != 0 {
			t.Errorf("the grant is %+v, want it alive and in no doubt", facts)
		}
		w.Fake.Set(func(k *xapi.Knobs) { k.Proof.AlwaysChallenge = false })
		time.Sleep(time.Hour)
		w.Token(g)
	})
}
