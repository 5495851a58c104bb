package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

var errBoom = errors.New("errBoom")

// works checks that the grant of the default user has a token that X accepts.
func (w *world) works(t *testing.T, what string) {
	t.Helper()
	tok, err := w.grants.Source(oauthtest.DefaultUser().ID).Token(t.Context())
	if err != nil {
		t.Errorf("%s: Token = %v, want one", what, err)
		return
	}
	if user, err := w.client.Identity(t.Context(), tok); err != nil {
		t.Errorf("%s: the token gives %v, %v, want the user", what, user, err)
	}
}

// G21: A login destroys nothing. What fails once after the exchange is repeated
// at once, and the user sees nothing of it.
func TestG21_AFailureAfterTheExchangeIsRepeated(t *testing.T) {
	me := oauthtest.Match{Path: xapi.PathMe}
	var fails atomic.Int64
	onLogin := func(context.Context, provider.Identity) error {
		if fails.Add(-1) >= 0 {
			return errBoom
		}
		return nil
	}
	for name, fail := range map[string]func(w *world){
		"users/me answers 503":       func(w *world) { w.fake.Inject(me, oauthtest.Fault{Status: 503}, 1) },
		"users/me answers 503 twice": func(w *world) { w.fake.Inject(me, oauthtest.Fault{Status: 503}, 2) },
		"users/me answers 429":       func(w *world) { w.fake.Inject(me, oauthtest.Fault{Status: 429}, 1) },
		"users/me answers 402":       func(w *world) { w.fake.Inject(me, oauthtest.Fault{Status: 402}, 1) },
		"users/me answers 401":       func(w *world) { w.fake.Inject(me, oauthtest.Fault{Status: 401}, 1) },
		"users/me answers HTML": func(w *world) {
			w.fake.Inject(me, oauthtest.Fault{Status: 200, Body: "<html>", ContentType: "text/html"}, 1)
		},
		"users/me drops the connection":  func(w *world) { w.fake.Inject(me, oauthtest.Fault{Drop: true}, 1) },
		"OnLogin fails once":             func(*world) { fails.Store(1) },
		"OnLogin fails twice":            func(*world) { fails.Store(2) },
		"users/me and then OnLogin fail": func(w *world) { w.fake.Inject(me, oauthtest.Fault{Status: 500}, 1); fails.Store(1) },
	} {
		synctest.Test(t, func(t *testing.T) {
			fails.Store(0)
			w := newWorld(t, setup{options: middleware.Options{OnLogin: onLogin}})
			old := newBrowser(t, w.mux)
			w.logIn(old, "")
			time.Sleep(time.Hour)
			fail(w)
			b := newBrowser(t, w.mux)
			if a := w.logIn(b, "/home"); a.location() != "/home" {
				t.Errorf("%s: the login ended at %q, want the page", name, a.location())
			}
			w.works(t, name)
			wantStatus(t, name+": the new session", b.get("/timeline"), http.StatusOK)
			wantStatus(t, name+": the session from before", old.get("/timeline"), http.StatusOK)
			if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
				t.Errorf("%s: revoked = %s, want nothing", name, got)
			}
		})
	}
}

// keptWorld is an app whose identity calls fail until they are mended, and
// whose user has logged in before.
func keptWorld(t *testing.T, s setup) (w *world, b *browser, mend func()) {
	t.Helper()
	w = newWorld(t, s)
	w.logIn(newBrowser(t, w.mux), "")
	time.Sleep(time.Hour)
	w.fake.Inject(oauthtest.Match{Path: xapi.PathMe}, oauthtest.Fault{Status: 503}, -1)
	b = newBrowser(t, w.mux)
	wantStatus(t, "callback while users/me fails", b.get(w.consent(b.start("/home"))), http.StatusServiceUnavailable)
	return w, b, w.fake.ClearFaults
}

const resumeHome = "/authorize?return_to=%2Fhome&resume=1"

func TestG21_TryAgainFinishesTheSameLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, mend := keptWorld(t, setup{})
		exchanges := w.exchanges()
		wantStatus(t, "try again while it still fails", b.get(resumeHome), http.StatusServiceUnavailable)
		wantStatus(t, "try again in another browser", newBrowser(t, w.mux).get(resumeHome), http.StatusSeeOther)
		mend()
		a := b.get(resumeHome)
		if a.StatusCode != http.StatusSeeOther || a.location() != "/home" {
			t.Errorf("try again = %d to %q, want 303 to /home", a.StatusCode, a.location())
		}
		if n := w.exchanges() - exchanges; n != 0 {
			t.Errorf("%d more exchanges, want none: it is the same login", n)
		}
		wantStatus(t, "the session", b.get("/timeline"), http.StatusOK)
		w.works(t, "after the login")
		if got := b.cookies("login"); len(got) != 0 {
			t.Errorf("cookies left = %v, want none", got)
		}
		if got := keysWith(t, w.store.(*storage.Memory), "login."); len(got) != 0 {
			t.Errorf("records left = %v, want none", got)
		}
		if a := b.get(resumeHome); !strings.HasPrefix(a.location(), "https://x.com/") {
			t.Errorf("try again after that = %d to %q, want a new login", a.StatusCode, a.location())
		}
		if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
			t.Errorf("revoked = %s, want nothing", got)
		}
	})
}

// Two tabs cannot finish. Each "try again" leads back to the page of its tab.
func TestG21_TryAgainInTwoTabs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, mend := keptWorld(t, setup{})
		wantStatus(t, "callback of another tab", b.get(w.consent(b.start("/other"))), http.StatusServiceUnavailable)
		mend()
		if a := b.get(resumeHome); a.location() != "/home" {
			t.Errorf("try again in the first tab = %d to %q, want /home", a.StatusCode, a.location())
		}
		wantStatus(t, "the session", b.get("/timeline"), http.StatusOK)
		time.Sleep(2 * time.Hour)
		w.works(t, "after both logins have ended")
	})
}

// Without "try again", the background saves the grant when the user is known,
// and begins no session. A later "try again" begins one.
func TestG21_TheBackgroundSavesTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, mend := keptWorld(t, setup{})
		time.Sleep(3 * time.Minute)
		mend()
		time.Sleep(5 * time.Minute) // the pause has grown to that
		w.works(t, "after the background has saved the grant")
		w.sessions(t, 1)
		if got := b.cookies("session"); len(got) != 0 {
			t.Errorf("session cookies = %v, want none", got)
		}
		exchanges, calls := w.exchanges(), len(w.fake.Requests())
		if a := b.get(resumeHome); a.location() != "/home" || w.exchanges() != exchanges {
			t.Errorf("try again = %d to %q after %d exchanges, want /home without one", a.StatusCode, a.location(), w.exchanges()-exchanges)
		}
		if n := len(w.fake.Requests()) - calls; n != 0 {
			t.Errorf("try again made %d requests, want none", n)
		}
		wantStatus(t, "the session", b.get("/timeline"), http.StatusOK)
	})
}

// The pause between two tries in the background doubles (G9).
func TestG21_TheBackgroundPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		w := newWorld(t, setup{options: middleware.Options{OnLogin: func(context.Context, provider.Identity) error {
			calls.Add(1)
			return errBoom
		}}})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("/")))
		calls.Store(0)
		time.Sleep(59 * time.Minute)
		if n := calls.Load(); n < 6 || n > 15 {
			t.Errorf("%d tries in an hour, want about ten", n)
		}
	})
}

// After an hour the login ends: its tokens are revoked where the server keeps
// many grants, and saved where the exchange has ended the older tokens.
func TestG21_AfterAnHour(t *testing.T) {
	identityFails := func(context.Context, *oauth2.Token) (provider.Identity, error) { return provider.Identity{}, errBoom }
	onLoginFails := func(context.Context, provider.Identity) error { return errBoom }
	for _, tt := range []struct {
		name    string
		single  bool
		options middleware.Options
		revoked string
		saved   bool
	}{
		{"one grant per user, user unknown", true, middleware.Options{Identify: identityFails}, bothRevoked, false},
		{"one grant per user, user known", true, middleware.Options{OnLogin: onLoginFails}, "[]", true},
		{"many grants, user unknown", false, middleware.Options{Identify: identityFails}, bothRevoked, false},
		{"many grants, user known", false, middleware.Options{OnLogin: onLoginFails}, bothRevoked, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{options: tt.options, provider: func(p *provider.Provider) { p.SingleGrant = tt.single }})
			b := newBrowser(t, w.mux)
			b.get(w.consent(b.start("/")))
			time.Sleep(58 * time.Minute)
			if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
				t.Errorf("%s: revoked before the hour is over = %s, want nothing", tt.name, got)
			}
			time.Sleep(10 * time.Minute)
			if got := fmt.Sprint(revoked(w.fake)); got != tt.revoked {
				t.Errorf("%s: revoked = %s, want %s", tt.name, got, tt.revoked)
			}
			if _, err := w.grants.Source(oauthtest.DefaultUser().ID).Token(t.Context()); (err == nil) != tt.saved {
				t.Errorf("%s: Token = %v, want one: %v", tt.name, err, tt.saved)
			}
			if got := keysWith(t, w.store.(*storage.Memory), "login."); len(got) != 0 {
				t.Errorf("%s: records left = %v, want none", tt.name, got)
			}
			if a := b.get(resumeHome); !strings.HasPrefix(a.location(), "https://x.com/") {
				t.Errorf("%s: try again = %d to %q, want a new login", tt.name, a.StatusCode, a.location())
			}
		})
	}
}

// Another process finishes the login of a process that has ended.
func TestG21_AnotherProcessFinishesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup{fake: xapi.New(t, nil), keys: newKeys(t), store: storage.NewMemory()}
		w, b, mend := keptWorld(t, s)
		if err := w.grants.Close(); err != nil {
			t.Fatal(err)
		}
		mend()
		other := newWorld(t, s)
		time.Sleep(15 * time.Minute) // a look at each part of the index
		other.works(t, "in the other process")
		if a := b.at(other.mux).get(resumeHome); a.location() != "/home" {
			t.Errorf("try again = %d to %q, want /home", a.StatusCode, a.location())
		}
		wantStatus(t, "the session", b.at(other.mux).get("/timeline"), http.StatusOK)
	})
}

// A process whose store fails after the exchange keeps the login in memory.
func TestG21_TheStoreFailsAfterTheExchange(t *testing.T) {
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := &brokenStore{Store: storage.NewMemory()}
			var down atomic.Bool
			store.set(func(string, string) bool { return down.Load() })
			w := newWorld(t, setup{store: store, options: middleware.Options{
				OnLogin: func(context.Context, provider.Identity) error { down.Store(true); return nil },
			}})
			b := newBrowser(t, w.mux)
			a := b.get(w.consent(b.start("/home")))
			wantStatus(t, "callback while the store fails", a, http.StatusServiceUnavailable)
			wantStatus(t, "try again while the store fails", b.get(resumeHome), http.StatusServiceUnavailable)
			time.Sleep(5 * time.Minute)
			down.Store(false)
			if !again {
				time.Sleep(30 * time.Minute)
				w.works(t, "after the store was mended")
			}
			if a := b.get(resumeHome); a.location() != "/home" || w.exchanges() != 1 {
				t.Errorf("try again = %d to %q after %d exchanges, want /home and 1", a.StatusCode, a.location(), w.exchanges())
			}
			wantStatus(t, "the session", b.get("/timeline"), http.StatusOK)
			w.works(t, "after the login")
			if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
				t.Errorf("revoked = %s, want nothing", got)
			}
		})
	}
}

// A later login stays: the kept one, which was exchanged before it, is not
// written over it.
func TestG21_ALaterLoginStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, mend := keptWorld(t, setup{})
		time.Sleep(2 * time.Minute)
		mend()
		later := newBrowser(t, w.mux)
		w.logIn(later, "")
		time.Sleep(time.Hour)
		w.works(t, "after both logins")
		wantStatus(t, "the session of the later login", later.get("/timeline"), http.StatusOK)
		if got := b.cookies("session"); len(got) != 0 {
			t.Errorf("session cookies of the kept login = %v, want none", got)
		}
	})
}

// The same holds if the kept one waits for the app, and its user is known.
func TestG21_ALaterLoginStaysIfOnLoginFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		w := newWorld(t, setup{options: middleware.Options{OnLogin: func(context.Context, provider.Identity) error {
			if fails.Load() {
				return errBoom
			}
			return nil
		}}})
		fails.Store(true)
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("/")))
		time.Sleep(3 * time.Minute) // the next try is more than the skew of two clocks away
		fails.Store(false)
		later := newBrowser(t, w.mux)
		w.logIn(later, "")
		time.Sleep(time.Hour)
		w.works(t, "after both logins")
		wantStatus(t, "the session of the later login", later.get("/timeline"), http.StatusOK)
	})
}

// A login that the app refuses at "try again" has ended: its tokens are
// revoked.
func TestG21_RefusedAtTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errBoom
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{
			OnError: errs.onError,
			OnLogin: func(context.Context, provider.Identity) error { return reason },
		}})
		b := newBrowser(t, w.mux)
		wantStatus(t, "callback while OnLogin fails", b.get(w.consent(b.start("/home"))), http.StatusInternalServerError)
		reason = middleware.ErrRefused
		wantStatus(t, "try again", b.get(resumeHome), http.StatusForbidden)
		if e := errs.facts(t, "try again", middleware.ErrRefused); e.Retry != "/authorize?return_to=%2Fhome" {
			t.Errorf("Retry = %q, want a new login", e.Retry)
		}
		if got := fmt.Sprint(revoked(w.fake)); got != bothRevoked {
			t.Errorf("revoked = %s, want %s", got, bothRevoked)
		}
		if got := b.cookies("authtrip"); len(got) != 0 {
			t.Errorf("cookies = %v, want none", got)
		}
	})
}

// If OnLogin panics, the tokens are revoked and the panic goes on.
func TestG21_OnLoginPanics(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			panics := true
			w := newWorld(t, setup{options: middleware.Options{OnLogin: func(context.Context, provider.Identity) error {
				if panics {
					panic(errBoom)
				}
				return nil
			}}})
			if fails {
				w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, -1)
			}
			b := newBrowser(t, w.mux)
			callback := w.consent(b.start("/"))
			func() {
				defer func() {
					if got := recover(); got != any(errBoom) {
						t.Errorf("recovered %v, want the panic of OnLogin", got)
					}
				}()
				b.get(callback)
			}()
			if fails {
				time.Sleep(time.Minute)
				w.fake.ClearFaults()
				time.Sleep(20 * time.Minute)
			}
			if got := fmt.Sprint(revoked(w.fake)); got != bothRevoked {
				t.Errorf("revoked (the server failed at first: %v) = %s, want %s", fails, got, bothRevoked)
			}
			if got := keysWith(t, w.store.(*storage.Memory), "login.", "grant."); len(got) != 0 {
				t.Errorf("records left = %v, want none", got)
			}
			panics = false
			w.logIn(b, "")
		})
	}
}

// In the background, a panic of the app ends the login and not the process.
func TestG21_OnLoginPanicsInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		w := newWorld(t, setup{options: middleware.Options{OnLogin: func(context.Context, provider.Identity) error {
			if calls.Add(1) > 3 {
				panic(errBoom)
			}
			return errBoom
		}}})
		b := newBrowser(t, w.mux)
		wantStatus(t, "callback", b.get(w.consent(b.start("/"))), http.StatusInternalServerError)
		time.Sleep(time.Hour)
		if got := fmt.Sprint(revoked(w.fake)[:2]); got != bothRevoked {
			t.Errorf("revoked = %s, want %s", got, bothRevoked)
		}
		if got := keysWith(t, w.store.(*storage.Memory), "login."); len(got) != 0 || calls.Load() != 4 {
			t.Errorf("records left = %v after %d calls of OnLogin, want none after 4", got, calls.Load())
		}
	})
}

// Where one revocation ends all grants of the user at the server, only
// Disconnect revokes.
func TestM5_WhereARevocationEndsAllGrants(t *testing.T) {
	w := newWorld(t, setup{
		provider: func(p *provider.Provider) { p.RevokesAll = true },
		options: middleware.Options{OnLogin: func(_ context.Context, user provider.Identity) error {
			if user.Subject == "7" {
				return middleware.ErrRefused
			}
			return nil
		}},
	})
	if err := w.fake.AddUser(oauthtest.User{ID: "7", Username: "other"}); err != nil {
		t.Fatal(err)
	}
	w.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = "7" })
	b := newBrowser(t, w.mux)
	wantStatus(t, "callback of a user who is refused", b.get(w.consent(b.start("/"))), http.StatusForbidden)
	w.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = "" })
	w.logIn(b, "")
	wantStatus(t, "logout", b.do(http.MethodPost, "/logout"), http.StatusSeeOther)
	if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
		t.Errorf("revoked = %s, want nothing", got)
	}
	w.logIn(b, "")
	wantStatus(t, "disconnect", b.do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
	if n := revocations(w.fake); n == 0 {
		t.Error("no revocation, want that of the disconnect")
	}
}

// What is stored of a kept login shows no token, and Forget ends it.
func TestG21_WhatIsKeptIsSealedAndCanBeForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tok *oauth2.Token
		w := newWorld(t, setup{options: middleware.Options{
			Identify: func(_ context.Context, got *oauth2.Token) (provider.Identity, error) {
				tok = got
				return provider.Identity{Subject: oauthtest.DefaultUser().ID}, nil
			},
			OnLogin: func(context.Context, provider.Identity) error { return errBoom },
		}})
		store := w.store.(*storage.Memory)
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("/")))
		keys := keysWith(t, store, "login.")
		if len(keys) != 1 {
			t.Fatalf("kept logins = %v, want one", keys)
		}
		record, err := store.Get(t.Context(), keys[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{tok.AccessToken, tok.RefreshToken, oauthtest.DefaultUser().ID} {
			if strings.Contains(string(record.Value()), secret) {
				t.Errorf("the record shows %q", secret)
			}
		}
		if err := w.login.Forget(t.Context(), "somebody else"); err != nil || len(keysWith(t, store, "login.")) != 1 {
			t.Errorf("Forget of another user = %v, want nil, and the login is kept", err)
		}
		if err := w.login.Forget(t.Context(), oauthtest.DefaultUser().ID); err != nil {
			t.Fatal(err)
		}
		if got := keysWith(t, store, "login."); len(got) != 0 {
			t.Errorf("records left = %v, want none", got)
		}
		if got := fmt.Sprint(revoked(w.fake)); got != bothRevoked {
			t.Errorf("revoked = %s, want %s", got, bothRevoked)
		}
	})
}

// A login that ends without the user is reported, and so is a token that cannot
// be revoked for a week.
func TestG21_TheEndIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events recorder
		w := newWorld(t, setup{dueInterval: time.Hour, options: middleware.Options{
			OnEvent:  events.on,
			Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) { return provider.Identity{}, errBoom },
		}})
		w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, -1)
		b := newBrowser(t, w.mux)
		a := b.get(w.consent(b.start("/")))
		if want := "Your login is not finished yet"; a.title() != want {
			t.Errorf("page = %q, want %q", a.title(), want)
		}
		if got := fmt.Sprint(events.take()); got != "[login started login failed]" {
			t.Errorf("events = %s, want the failure of the request", got)
		}
		time.Sleep(2 * time.Hour)
		if got := fmt.Sprint(events.take()); got != "[login failed]" {
			t.Errorf("events after an hour = %s, want the end", got)
		}
		time.Sleep(8 * 24 * time.Hour)
		if got := fmt.Sprint(events.take()); got != "[login failed]" {
			t.Errorf("events after a week = %s, want one for the tokens", got)
		}
		if got := keysWith(t, w.store.(*storage.Memory), "login."); len(got) != 0 {
			t.Errorf("records left = %v, want none", got)
		}
	})
}

// At the end of the hour, a store that fails is asked again.
func TestG21_TheStoreFailsAtTheEndOfTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		store := newBrokenStore(func(op, key string) bool {
			return down.Load() && op == "put" && strings.HasPrefix(key, "grant.")
		})
		w := newWorld(t, setup{store: store, options: middleware.Options{
			OnLogin: func(context.Context, provider.Identity) error { return errBoom },
		}})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("/")))
		down.Store(true)
		time.Sleep(90 * time.Minute)
		if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
			t.Errorf("revoked while the store fails = %s, want nothing", got)
		}
		down.Store(false)
		time.Sleep(15 * time.Minute)
		w.works(t, "after the store was mended")
	})
}

// A server that grants, and whose access token no request can carry: what came
// is revoked.
func TestM2_TokensOfNoUseAreRevoked(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	w.fake.Set(func(k *xapi.Knobs) {
		k.Token.Granted = func(a *oauthtest.Answer) {
			a.Body = strings.Replace(a.Body, `"access_token":"`, `"access_token":"line\nbreak`, 1)
		}
	})
	b := newBrowser(t, w.mux)
	wantStatus(t, "callback", b.get(w.consent(b.start("/"))), http.StatusInternalServerError)
	if e := errs.facts(t, "callback", middleware.ErrLoginFailed); !strings.Contains(e.Cause, "the new token was revoked") {
		t.Errorf("Cause = %q, want the tokens revoked", e.Cause)
	}
	if got := fmt.Sprint(revoked(w.fake)); got != "[refresh_token]" {
		t.Errorf("revoked = %s, want the refresh token, which is all that can be sent", got)
	}
}

// A process that ends while the store fails revokes what it alone knows.
func TestG21_TheProcessEndsWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brokenStore{Store: storage.NewMemory()}
		var down atomic.Bool
		store.set(func(string, string) bool { return down.Load() })
		w := newWorld(t, setup{store: store, dueInterval: 5 * time.Second, options: middleware.Options{
			OnLogin: func(context.Context, provider.Identity) error { down.Store(true); return nil },
		}})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("/")))
		time.Sleep(time.Minute)
		if err := w.grants.Close(); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(revoked(w.fake)); got != bothRevoked {
			t.Errorf("revoked = %s, want %s", got, bothRevoked)
		}
	})
}

// The same holds if the store fails for a day.
func TestG21_TheStoreFailsForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brokenStore{Store: storage.NewMemory()}
		var down atomic.Bool
		store.set(func(string, string) bool { return down.Load() })
		w := newWorld(t, setup{store: store, options: middleware.Options{
			OnLogin: func(context.Context, provider.Identity) error { down.Store(true); return nil },
		}})
		b := newBrowser(t, w.mux)
		b.get(w.consent(b.start("/")))
		time.Sleep(24 * time.Hour)
		if got := fmt.Sprint(revoked(w.fake)); got != "[]" {
			t.Errorf("revoked within the day = %s, want nothing", got)
		}
		time.Sleep(2 * time.Hour)
		if got := fmt.Sprint(revoked(w.fake)); got != bothRevoked {
			t.Errorf("revoked after the day = %s, want %s", got, bothRevoked)
		}
	})
}

// Identify may read any member of the token answer, also when it is called
// again for a login that was stored meanwhile. No digit of a large number
// changes.
func TestG21_MembersOfALoginThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		fails.Store(true)
		identify := func(_ context.Context, tok *oauth2.Token) (provider.Identity, error) {
			if fails.Load() {
				return provider.Identity{}, errBoom
			}
			team, _ := tok.Extra("team").(map[string]any)
			return provider.Identity{Subject: fmt.Sprint(tok.Extra("id_token"), " ", team["id"], " ", tok.Extra("seats"))}, nil
		}
		w := newWorld(t, setup{
			options:  middleware.Options{Identify: identify},
			provider: func(p *provider.Provider) { p.KeepMembers = []string{"team.id"} },
		})
		w.fake.Set(func(k *xapi.Knobs) {
			k.Token.ExtraJSON = map[string]any{"id_token": "a.b.c", "team": map[string]any{"id": uint64(9007199254740993)}, "seats": 7}
		})
		b := newBrowser(t, w.mux)
		wantStatus(t, "callback while Identify fails", b.get(w.consent(b.start("/home"))), http.StatusInternalServerError)
		fails.Store(false)
		wantStatus(t, "try again", b.get(resumeHome), http.StatusSeeOther)
		const want = "a.b.c 9007199254740993 7"
		if a := b.get("/timeline"); a.body != "timeline of "+want {
			t.Errorf("page = %d %q, want that of %s", a.StatusCode, a.body, want)
		}
		tok, err := w.grants.Source(want).Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(tok.Extra("team.id")); got != "9007199254740993" {
			t.Errorf("team.id of the grant = %s, want 9007199254740993", got)
		}
	})
}

// The store fails for two hours right after it has taken the grant of a login
// that waited.
func TestG21_TheStoreFailsAfterALoginThatWaitedWasSaved(t *testing.T) {
	for name, finish := range map[string]func(b *browser){
		"by try again":      func(b *browser) { b.get(resumeHome) },
		"by the background": func(*browser) { time.Sleep(5 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newBrokenStore(nil)
				w := newWorld(t, setup{store: store, provider: func(p *provider.Provider) { p.SingleGrant = false }})
				w.fake.Inject(oauthtest.Match{Path: xapi.PathMe}, oauthtest.Fault{Status: 503}, -1)
				b := newBrowser(t, w.mux)
				b.get(w.consent(b.start("/home")))
				var written atomic.Bool
				store.set(func(op, key string) bool {
					if op == "put" && strings.HasPrefix(key, "grant.") {
						return written.Swap(true)
					}
					return written.Load() && op != "get" && strings.HasPrefix(key, "login.")
				})
				time.Sleep(3 * time.Minute)
				w.fake.ClearFaults()
				finish(b)
				time.Sleep(2 * time.Hour)
				store.set(nil)
				time.Sleep(30 * time.Minute)
				if !written.Load() {
					t.Error("the grant was not stored")
				}
				w.works(t, "after the store was mended")
				if got := keysWith(t, store.Store.(*storage.Memory), "login."); len(got) != 0 {
					t.Errorf("records left = %v, want none", got)
				}
			})
		})
	}
}
