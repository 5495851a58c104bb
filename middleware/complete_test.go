package middleware_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
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

// TestM2_BrowserLeaves: the work that a code started is finished, since the
// code cannot be sent again.
func TestM2_BrowserLeaves(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	callback := w.consent(b.start("/"))
	left := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		w.mux.ServeHTTP(rw, r.WithContext(ctx))
	})
	wantStatus(t, "callback of a browser that left", b.at(left).get(callback), http.StatusSeeOther)
	if _, err := w.grants.Grant(t.Context(), oauthtest.DefaultUser().ID); err != nil {
		t.Errorf("Grant after the browser left = %v, want a grant", err)
	}
}

// TestM2_Deadline: a token endpoint that hangs does not hold the browser for
// longer than a code lives.
func TestM2_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{
			OnError: errs.onError,
			Identify: func(ctx context.Context, _ *oauth2.Token) (provider.Identity, error) {
				<-ctx.Done()
				return provider.Identity{}, context.Cause(ctx)
			},
		}})
		b := newBrowser(t, w.mux)
		callback := w.consent(b.start("/"))
		began := time.Now()
		b.get(callback)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the callback took %v, want less than the 30 seconds that a code lives", took)
		}
		if e := errs.facts(t, "Identify hangs", middleware.ErrLoginFailed); !strings.Contains(e.Cause, "kept for 1h") {
			t.Errorf("Cause = %q, want the login kept though the time was used up", e.Cause)
		}
	})
}

func TestM2_FailureAfterTheCode(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name    string
		options middleware.Options
		fault   oauthtest.Match
		store   func(op, key string) bool
		kind    error
		status  int
		cause   string
		revoked bool
		kept    bool
		answer  int // of the fault; 0 means 500
	}{
		{name: "code refused", fault: oauthtest.Match{Path: xapi.PathToken}, kind: middleware.ErrLoginFailed, status: 503, cause: "exchanged"},
		{name: "identity fails", fault: oauthtest.Match{Path: xapi.PathMe}, kind: middleware.ErrLoginFailed, status: 503, cause: "who the user is; it is kept for 1h", kept: true},
		{name: "the new token is not accepted", fault: oauthtest.Match{Path: xapi.PathMe}, answer: 401, kind: middleware.ErrLoginFailed, status: 502, cause: "who the user is; the new token was revoked", revoked: true},
		{name: "Identify fails", options: middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{}, boom
		}}, kind: middleware.ErrLoginFailed, status: 500, cause: "who the user is; it is kept for 1h", kept: true},
		{name: "Identify says nothing", options: middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{}, nil
		}}, kind: middleware.ErrLoginFailed, status: 500, cause: "it is kept for 1h", kept: true},
		{name: "OnLogin refuses", options: middleware.Options{OnLogin: func(context.Context, provider.Identity) error {
			return fmt.Errorf("not on the list: %w", middleware.ErrRefused)
		}}, kind: middleware.ErrRefused, status: 403, cause: "the new token was revoked", revoked: true},
		{name: "OnLogin fails", options: middleware.Options{OnLogin: func(context.Context, provider.Identity) error { return boom }},
			kind: middleware.ErrLoginFailed, status: 500, cause: "OnLogin failed; it is kept for 1h", kept: true},
		{name: "store refuses the grant", store: func(op, key string) bool { return op == "put" && !strings.HasPrefix(key, "middleware.") },
			kind: middleware.ErrLoginFailed, status: 503, cause: "could not be stored; it is kept for 1h", kept: true},
		{name: "a subject that cannot be stored", options: middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: strings.Repeat("s", 1<<20)}, nil
		}}, kind: middleware.ErrLoginFailed, status: 500, cause: "could not be stored; the new token was revoked", revoked: true},
		{name: "sessions fail", options: middleware.Options{Sessions: brokenSessions{}}, kind: middleware.ErrLoginFailed, status: 500, cause: "the session could not be stored; it is kept for 1h", kept: true},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			var errs seen
			tt.options.OnError = errs.onError
			w := newWorld(t, setup{options: tt.options, store: newBrokenStore(tt.store)})
			if tt.fault != (oauthtest.Match{}) {
				w.fake.Inject(tt.fault, oauthtest.Fault{Status: cmp.Or(tt.answer, 500)}, -1)
			}
			b := newBrowser(t, w.mux)
			wantStatus(t, tt.name, b.get(w.consent(b.start("/home"))), tt.status)
			e := errs.facts(t, tt.name, tt.kind)
			if !strings.Contains(e.Cause, tt.cause) {
				t.Errorf("%s: Cause = %q, want %q", tt.name, e.Cause, tt.cause)
			}
			retry := "/authorize?return_to=%2Fhome"
			if tt.kept {
				retry += "&resume=1"
			}
			if e.Retry != retry {
				t.Errorf("%s: Retry = %q, want %q", tt.name, e.Retry, retry)
			}
			if n := w.exchanges(); n != 1 {
				t.Errorf("%s: %d token requests, want 1", tt.name, n)
			}
			want := "[]"
			if tt.revoked {
				want = bothRevoked
			}
			if got := fmt.Sprint(revoked(w.fake)); got != want {
				t.Errorf("%s: revoked = %s, want %s", tt.name, got, want)
			}
			if len(b.cookies("session")) != 0 {
				t.Errorf("%s: there is a session", tt.name)
			}
		})
	}
}

// TestM2_StoreDown: without the store nobody can tell whether a state was used,
// so no code is sent.
func TestM2_StoreDown(t *testing.T) {
	for _, op := range []string{"get", "put"} {
		var errs seen
		store := newBrokenStore(func(o, key string) bool { return o == op && strings.HasPrefix(key, "middleware.") })
		w := newWorld(t, setup{store: store, options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		callback := w.consent(b.start("/"))
		a := b.get(callback)
		wantStatus(t, "store down for "+op, a, http.StatusServiceUnavailable)
		errs.want(t, "store down for "+op, tokensource.ErrTemporary)
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("store down for %s: no Retry-After", op)
		}
		if n := w.exchanges(); n != 0 {
			t.Errorf("store down for %s: %d exchanges, want none", op, n)
		}
		store.set(nil)
		wantStatus(t, "store up again", b.get(callback), http.StatusSeeOther)
	}
}

func TestOnLogin(t *testing.T) {
	var got provider.Identity
	w := newWorld(t, setup{options: middleware.Options{OnLogin: func(_ context.Context, user provider.Identity) error {
		got = user
		return nil
	}}})
	w.logIn(newBrowser(t, w.mux), "")
	user := oauthtest.DefaultUser()
	if want := (provider.Identity{Subject: user.ID, Username: user.Username, Name: user.Name, Picture: got.Picture}); got.Picture == "" || !reflect.DeepEqual(got, want) {
		t.Errorf("OnLogin got %+v, want %+v", got, want)
	}
}

type brokenSessions struct{}

func (brokenSessions) Get(*http.Request, string) (string, error) { return "", errBroken }

func (brokenSessions) Set(http.ResponseWriter, *http.Request, string, string) error { return errBroken }

func revocations(fake *xapi.Server) int { return len(revoked(fake)) }

// bothRevoked is what revoked returns once a token response was discarded: a
// server need not end one token with the other.
const bothRevoked = "[refresh_token access_token]"

// revoked returns the kinds of the tokens that were revoked, in order.
func revoked(fake *xapi.Server) (kinds []string) {
	for _, r := range fake.Requests() {
		if r.Path == xapi.PathRevoke && r.Status == http.StatusOK {
			kinds = append(kinds, r.Raw().PostForm.Get("token_type_hint"))
		}
	}
	return kinds
}
