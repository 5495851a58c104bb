package moving_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth/gothic"
	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/examples/internal/journey"
	"github.com/authtrip/authtrip/examples/moving"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// row is the database of the program before it moved. Two processes that begin
// at the same moment read the same row.
type row struct {
	mu    sync.Mutex // guards tok and reads
	tok   *oauth2.Token
	reads sync.WaitGroup
}

func (r *row) Load(context.Context) (*oauth2.Token, error) {
	r.mu.Lock()
	tok := *r.tok
	r.mu.Unlock()
	r.reads.Done()
	r.reads.Wait()
	return &tok, nil
}

func (r *row) Save(_ context.Context, tok *oauth2.Token) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tok = tok
	return nil
}

// TestTwoProcesses: with a mutex in each process the user is logged out, and
// with a keeper in each process the refresh token is redeemed once.
func TestTwoProcesses(t *testing.T) {
	app := oauthtest.ConfidentialApp()
	user := oauthtest.DefaultUser().ID
	t.Run("a mutex each", func(t *testing.T) {
		fake := xapi.New(t, nil)
		_, refresh, err := fake.IssueToken(user, app.ClientID, "users.read", "offline.access")
		if err != nil {
			t.Fatal(err)
		}
		facts := fake.Provider("")
		config := &oauth2.Config{
			ClientID: app.ClientID, ClientSecret: app.Secret(),
			Endpoint: oauth2.Endpoint{TokenURL: facts.TokenURL, AuthStyle: oauth2.AuthStyleInHeader},
		}
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: fake.Transport()})
		r := &row{tok: &oauth2.Token{RefreshToken: refresh}}
		r.reads.Add(2)
		failed := atOnce(func(int) error {
			_, err := (&moving.BeforeMutex{Config: config, Tokens: r}).Token(ctx)
			return err
		})
		if failed != 1 {
			t.Errorf("%d of two processes failed, want 1: the server takes the second use for theft", failed)
		}
		for _, g := range fake.Grants() {
			if g.Ended == "" {
				t.Error("the grant lives on, want the server to end it")
			}
		}
	})
	t.Run("a keeper each", func(t *testing.T) {
		fake := xapi.New(t, nil)
		client, err := fakeuser.Client(fake, app)
		if err != nil {
			t.Fatal(err)
		}
		access, refresh, err := fake.IssueToken(user, app.ClientID, "users.read", "offline.access")
		if err != nil {
			t.Fatal(err)
		}
		store := storage.NewMemory()
		var keepers [2]*grant.Keeper
		for i := range keepers {
			old := &oauth2.Token{AccessToken: access, RefreshToken: refresh}
			api, keeper, err := moving.AfterOAuth2(t.Context(), client, store, user, old)
			if err != nil || api == nil {
				t.Fatal(err)
			}
			keepers[i] = keeper
			t.Cleanup(func() {
				if err := keeper.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		rejected, err := moving.AfterMutex(keepers[0], user).Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fake.ExpireAccess(user)
		failed := atOnce(func(i int) error {
			_, err := moving.AfterMutex(keepers[i], user).Renew(t.Context(), rejected)
			return err
		})
		if n := fake.TokenCalls("refresh_token"); failed != 0 || n != 1 {
			t.Errorf("%d of two processes failed after %d refreshes, want none after 1", failed, n)
		}
		tok, err := moving.AfterOAuth2Source(t.Context(), keepers[1], user).Token()
		if err != nil || fake.Token(tok.AccessToken).Dead != "" {
			t.Errorf("the source of x/oauth2 supplies %v, want a good token", err)
		}
	})
}

// TestAFurtherRunWithTheOldToken: the old file is still there after a refresh.
// What is stored is newer, and stays. A program without an old token begins
// too.
func TestAFurtherRunWithTheOldToken(t *testing.T) {
	fake, app, store := xapi.New(t, nil), oauthtest.ConfidentialApp(), storage.NewMemory()
	user := oauthtest.DefaultUser().ID
	client, err := fakeuser.Client(fake, app)
	if err != nil {
		t.Fatal(err)
	}
	start := func(old *oauth2.Token) *grant.Source {
		_, keeper, err := moving.AfterOAuth2(t.Context(), client, store, user, old)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = keeper.Close() })
		return moving.AfterMutex(keeper, user)
	}
	if _, err := start(nil).Token(t.Context()); !errors.Is(err, tokensource.ErrNoGrant) {
		t.Errorf("Token() without any token = %v, want ErrNoGrant", err)
	}
	access, refresh, err := fake.IssueToken(user, app.ClientID, "users.read", "offline.access")
	if err != nil {
		t.Fatal(err)
	}
	old := &oauth2.Token{AccessToken: access, RefreshToken: refresh}
	renewed, err := start(old).Renew(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := start(old).Token(t.Context())
	if err != nil || tok.AccessToken != renewed.AccessToken || fake.Token(tok.AccessToken).Dead != "" {
		t.Errorf("Token() of the next run = %v, want the renewed token", err)
	}
}

// atOnce runs f for two processes and returns how many failed.
func atOnce(f func(i int) error) (failed int) {
	var errs [2]error
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	return failed
}

func TestAfterGoth(t *testing.T) {
	journey.Test(t, nil, func(login *middleware.Login, page http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/private", login.Require(page))
		moving.AfterGoth(mux, login)
		return mux
	})
}

func TestBeforeGoth(t *testing.T) {
	mux := http.NewServeMux()
	gothic.Store = sessions.NewCookieStore([]byte("a secret of the test"))
	moving.BeforeGoth(mux, "id", "secret")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/auth/google?provider=google", nil))
	if to := w.Header().Get("Location"); w.Code != http.StatusTemporaryRedirect || !strings.HasPrefix(to, "https://accounts.google.com/") {
		t.Errorf("goth answers %d %q, want a redirect to Google", w.Code, to)
	}
}

// TestAfterZitadelWithoutAServer: an issuer that does not answer is an error
// that time may fix.
func TestAfterZitadelWithoutAServer(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stop(tokensource.ErrTemporary)
	if _, _, err := moving.AfterZitadel(ctx, "https://login.example", oauth.Registration{ClientID: "id"}, storage.NewMemory(), nil); err == nil {
		t.Error("AfterZitadel = nil, want an error")
	}
}
