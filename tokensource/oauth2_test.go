package tokensource_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// tokenFunc is an oauth2.TokenSource.
type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

func TestFromOAuth2(t *testing.T) {
	want, broken := &oauth2.Token{AccessToken: "a"}, errors.New("no token today")
	for _, ctx := range []context.Context{context.Background(), t.Context()} { // one that cannot end, one that can
		s, err := tokensource.FromOAuth2(oauth2.StaticTokenSource(want))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Token(ctx); err != nil || got.AccessToken != "a" {
			t.Errorf("Token() = %v, want the token", err)
		}
		s, err = tokensource.FromOAuth2(tokenFunc(func() (*oauth2.Token, error) { return nil, broken }))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(ctx)
		testworld.WantIs(t, err, broken)
	}
	if s, err := tokensource.FromOAuth2(nil); err == nil || s != nil {
		t.Errorf("FromOAuth2(nil) = %v, want an error", err)
	}
}

func TestFromOAuth2LeavesAtTheCallersDeadline(t *testing.T) {
	left := errors.New("the user has left")
	synctest.Test(t, func(t *testing.T) {
		s, err := tokensource.FromOAuth2(tokenFunc(func() (*oauth2.Token, error) {
			time.Sleep(time.Hour)
			return new(oauth2.Token), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, left)
		defer cancel()
		began := time.Now()
		_, err = s.Token(ctx)
		testworld.WantIs(t, err, left)
		if got := time.Since(began); got != time.Second {
			t.Errorf("gave up after %v, want 1s", got)
		}
		time.Sleep(2 * time.Hour) // the call that was left behind ends, and its goroutine with it
	})
}

func TestToOAuth2OfNothing(t *testing.T) {
	if _, err := tokensource.ToOAuth2(t.Context(), nil).Token(); err == nil || !strings.Contains(err.Error(), "nil Source") {
		t.Errorf("Token() = %v, want an error about the nil Source", err)
	}
}

// x/oauth2's own Transport goes on working when a token is renewed behind it.
func TestToOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := testworld.New(t)
		g := w.Process(nil)
		w.Login(g)
		hc := &http.Client{Transport: &oauth2.Transport{
			Source: tokensource.ToOAuth2(t.Context(), g.Source(w.User)), Base: w.Fake.Transport(),
		}}
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.x.com"+xapi.PathMe, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status = %d, want 200", resp.StatusCode)
			}
			time.Sleep(3 * time.Hour)
		}
		w.WantRefreshes(2)
		bridge := tokensource.ToOAuth2(t.Context(), g.Source(w.User))
		old, err := bridge.Token()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		renewed, err := g.Source(w.User).Renew(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bridge.Token(); err != nil || got.AccessToken != renewed.AccessToken {
			t.Errorf("Token() = %v, want the renewed token though the old one had not expired", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = tokensource.ToOAuth2(ctx, w.Process(nil).Source(w.User)).Token()
		testworld.WantIs(t, err, context.Canceled)
	})
}

// Libraries look for an *oauth2.RetrieveError.
func TestErrorsOfToOAuth2AreRetrieveErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := testworld.New(t)
		g := w.Process(nil)
		w.Login(g)
		if err := w.Fake.RevokeGrant(w.User, w.Client.ClientID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		_, err := tokensource.ToOAuth2(t.Context(), g.Source(w.User)).Token()
		retrieve, ok := errors.AsType[*oauth2.RetrieveError](err)
		if !ok || retrieve.ErrorCode != "invalid_request" || !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("Token() = %v, want an *oauth2.RetrieveError with X's code", err)
		}
	})
}
