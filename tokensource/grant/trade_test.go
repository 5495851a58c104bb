package grant_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A trader is a fake of a server without refresh tokens that trades access
// tokens, and an app there.
type trader struct {
	*testing.T
	*oauthtest.Server
	client *oauth.Client
	store  storage.Store
}

const day = 24 * time.Hour

func newTrader(t *testing.T, name string) *trader {
	t.Helper()
	p, err := provider.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	w := &trader{T: t, Server: oauthtest.New(t, &oauthtest.Options{Provider: p}), store: storage.NewMemory()}
	app := oauthtest.ConfidentialApp()
	w.client, err = oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"basic"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: w.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *trader) process() *grant.Keeper {
	w.Helper()
	k, err := grant.New(w.client, w.store, &grant.Options{WithoutRefresh: true, DueInterval: -1})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = k.Close() })
	return k
}

// login saves a token as a login gets it. It lives for an hour.
func (w *trader) login(k *grant.Keeper) *oauth2.Token {
	w.Helper()
	access, _, err := w.IssueToken("", w.client.ClientID(), "basic")
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, TokenType: "bearer", Expiry: time.Now().Add(time.Hour), ExpiresIn: 3600}
	if _, err := k.Save(w.Context(), "u", tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

// token returns the access token of the user.
func (w *trader) token(k *grant.Keeper) string {
	w.Helper()
	tok, err := k.Source("u").Token(w.Context())
	if err != nil {
		w.Fatalf("after %v: Token() = %v, want a token", time.Since(start), err)
	}
	return tok.AccessToken
}

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of a bubble

func TestTradesInTheWindow(t *testing.T) {
	tests := []struct {
		server      string
		first, next string // the grant types
	}{
		{"instagram", "ig_exchange_token", "ig_refresh_token"},
		{"threads", "th_exchange_token", "th_refresh_token"},
		{"facebook", "fb_exchange_token", "fb_exchange_token"},
	}
	for _, tt := range tests {
		t.Run(tt.server, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTrader(t, tt.server)
				a, b := w.process(), w.process()
				login := w.login(a)
				synctest.Wait()
				if n := w.TokenCalls(tt.first); n != 1 {
					t.Fatalf("after a login there were %d trades, want 1", n)
				}
				long := w.token(a)
				if long == login.AccessToken || w.token(b) != long {
					t.Errorf("after a login and a trade, two processes have the tokens of the login or different ones")
				}
				facts, err := a.Grant(t.Context(), "u")
				if left := time.Until(facts.Expiry); err != nil || left < 59*day || !facts.Refreshable {
					t.Errorf("after a trade the grant is %+v, %v, want one that lives for 60 days", facts, err)
				}
				before := w.TokenCalls(tt.next)
				for range 23 {
					time.Sleep(day)
					w.token(a)
					w.token(b)
				}
				synctest.Wait()
				if n := w.TokenCalls(tt.next) - before; n != 0 {
					t.Errorf("in the first 23 days there were %d trades, want none", n)
				}
				for range 10 {
					time.Sleep(day)
					w.token(a)
					w.token(b)
				}
				synctest.Wait()
				if n := w.TokenCalls(tt.next) - before; n != 1 || w.token(a) == long {
					t.Errorf("after 33 days there were %d trades, want 1 and another token", n)
				}
				if err := w.Audit(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTradeOfALoginIsRepeatedAfterAnOutage(t *testing.T) {
	faults := map[string]oauthtest.Fault{
		"503":                     {Status: http.StatusServiceUnavailable},
		"an answer that is lost":  {Commit: true, Drop: true},
		"a connection that fails": {Unsent: true},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTrader(t, "instagram")
				w.Inject(oauthtest.Match{Path: "/access_token"}, fault, 2)
				k := w.process()
				login := w.login(k)
				for range 11 {
					time.Sleep(5 * time.Minute)
					w.token(k)
				}
				synctest.Wait()
				if w.token(k) == login.AccessToken {
					t.Errorf("after %s twice and 55 minutes the token is that of the login, want one that was traded", name)
				}
			})
		})
	}
}

func TestTradeOutsideOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrader(t, "threads")
		k := w.process()
		w.login(k)
		synctest.Wait()
		time.Sleep(time.Hour) // longer than Options.RenewSpacing
		tok, err := k.Source("u").Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Source("u").Renew(t.Context(), tok)
		if !errors.Is(err, tokensource.ErrReauthorize) || w.TokenCalls("th_refresh_token") != 0 {
			t.Errorf("Renew() of a token that is too young for a trade = %v with %d requests, want ErrReauthorize and none",
				err, w.TokenCalls("th_refresh_token"))
		}
		if w.token(k) != tok.AccessToken { // one wrong answer of an API ends no grant (G8)
			t.Error("after a rejection within a day the token is gone, want it in use")
		}
		time.Sleep(2 * day)
		next, err := k.Source("u").Renew(t.Context(), tok)
		if err != nil || next.AccessToken == tok.AccessToken {
			t.Errorf("Renew() of a token of two days = %v, want another token", err)
		}
		time.Sleep(61 * day)
		_, err = k.Source("u").Token(t.Context())
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || !errors.Is(err, tokensource.ErrReauthorize) || e.Hint == "" {
			t.Errorf("Token() of a grant that nobody used for 61 days = %v, want ErrReauthorize with a hint", err)
		}
		if n := w.TokenCalls("th_refresh_token"); n != 1 {
			t.Errorf("there were %d trades, want none with a token that has expired", n-1)
		}
	})
}

func TestTradeThatIsRefusedEndsTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrader(t, "instagram")
		k := w.process()
		w.login(k)
		synctest.Wait()
		time.Sleep(2 * day)
		tok, err := k.Source("u").Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.RevokeGrant(oauthtest.DefaultUser().ID, w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		_, err = k.Source("u").Renew(t.Context(), tok)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Reason != tokensource.ReasonRefused || e.Code != "190" {
			t.Errorf("Renew() of a withdrawn grant = %v, want it refused with code 190", err)
		}
	})
}
