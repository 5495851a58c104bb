package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// mustBe makes each login one of the user that the query names.
func mustBe(r *http.Request) *middleware.BeginOptions {
	return &middleware.BeginOptions{Subject: r.URL.Query().Get("must")}
}

// A login that is for one user refuses another one, and revokes the tokens.
func TestLoginForOneUser(t *testing.T) {
	me := oauthtest.DefaultUser().ID
	for name, tt := range map[string]struct {
		must   string
		status int
	}{
		"the user who was asked for": {me, http.StatusSeeOther},
		"any user":                   {"", http.StatusSeeOther},
		"another user":               {"12", http.StatusForbidden},
		"a longer name that begins with the user's":  {me + "0", http.StatusForbidden},
		"a shorter name that the user's begins with": {me[:3], http.StatusForbidden},
		"a name as long as a flow can hold":          {strings.Repeat("u", 512), http.StatusForbidden},
	} {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{OnBegin: mustBe, OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		a := b.get("/authorize?must=" + url.QueryEscape(tt.must))
		wantStatus(t, name+": callback", b.get(w.consent(a.location())), tt.status)
		alive := w.fake.Grants()[0].LiveRefresh > 0
		if want := tt.status == http.StatusSeeOther; alive != want {
			t.Errorf("%s: the server's grant lives = %t, want %t", name, alive, want)
		}
		if tt.status != http.StatusSeeOther {
			errs.want(t, name, middleware.ErrRefused)
		}
	}
}

// X keeps one grant of a user, so the exchange of a login that was for user 12
// has ended the tokens of the user who answered it. That user is logged in
// elsewhere, and stays so.
func TestLoginForOneUser_AnsweredByAUserWhoIsLoggedInElsewhere(t *testing.T) {
	me := oauthtest.DefaultUser().ID
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnBegin: mustBe, OnError: errs.onError}})
	w.logIn(newBrowser(t, w.mux), "/timeline")
	b := newBrowser(t, w.mux)
	wantStatus(t, "the login for user 12", b.get(w.consent(b.get("/authorize?must=12").location())), http.StatusForbidden)
	errs.want(t, "the login for user 12", middleware.ErrRefused)
	ctx := w.grants.WithSubject(t.Context(), me)
	tok, err := w.grants.Token(ctx)
	if err == nil {
		_, err = w.grants.Renew(ctx, tok)
	}
	if err != nil {
		t.Errorf("Renew of the user who is logged in elsewhere = %v, want another token", err)
	}
}

// Two tabs that log in as different users do not disturb each other.
func TestTwoTabsForTwoUsers(t *testing.T) {
	w := newWorld(t, setup{options: middleware.Options{OnBegin: mustBe}})
	b := newBrowser(t, w.mux)
	mine := b.get("/authorize?must=" + oauthtest.DefaultUser().ID).location()
	b.get("/authorize?must=12")
	wantStatus(t, "the first tab", b.get(w.consent(mine)), http.StatusSeeOther)
}

func TestBeginRefusesNamesThatNoFlowHolds(t *testing.T) {
	for name, must := range map[string]string{"a line break": "1\n2", "513 bytes": strings.Repeat("u", 513)} {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{OnBegin: mustBe, OnError: errs.onError}})
		wantStatus(t, name, newBrowser(t, w.mux).get("/authorize?must="+url.QueryEscape(must)), http.StatusInternalServerError)
		errs.want(t, name, tokensource.ErrClient)
	}
}

// A login that is finished in the background, without the browser, is for the
// same user only.
func TestLoginForOneUserInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers atomic.Bool
		w := newWorld(t, setup{options: middleware.Options{
			OnBegin: mustBe,
			OnLogin: func(context.Context, provider.Identity) error {
				if !answers.Load() {
					return errors.New("the app's database does not answer")
				}
				return nil
			},
			Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
				if !answers.Load() {
					return provider.Identity{}, errors.New("nobody answers")
				}
				return provider.Identity{Subject: "12"}, nil
			},
		}})
		b := newBrowser(t, w.mux)
		a := b.get("/authorize?must=" + oauthtest.DefaultUser().ID)
		b.get(w.consent(a.location()))
		answers.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if g, err := w.grants.Grant(t.Context(), "12"); !errors.Is(err, tokensource.ErrNoGrant) {
			t.Errorf("the grant of another user = %+v, %v, want none", g, err)
		}
		if n := len(w.fake.Requests(oauthtest.Match{Path: xapi.PathRevoke})); n == 0 {
			t.Error("the tokens of another user were not revoked")
		}
	})
}

// Identify refuses a user as OnLogin does.
func TestIdentifyRefuses(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{
		OnError: errs.onError,
		Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{}, fmt.Errorf("%w: not this one", middleware.ErrRefused)
		},
	}})
	b := newBrowser(t, w.mux)
	wantStatus(t, "callback", b.get(w.consent(b.start("/"))), http.StatusForbidden)
	errs.want(t, "Identify refuses", middleware.ErrRefused)
}
