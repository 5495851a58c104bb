package readme_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

// operated returns a Keeper whose grants stay alive although nobody uses them.
func operated(client *oauth.Client, store storage.Store, log *slog.Logger) (*grant.Keeper, *upkeep.Worker, error) {
	events := tokensource.LogEvents(log)
	grants, err := grant.New(client, store, &grant.Options{
		OnEvent: upkeep.Changes(events), WithoutRefresh: true,
	})
	if err != nil {
		return nil, nil, err
	}
	worker, err := upkeep.Start(&upkeep.Options{OnEvent: events}, grants)
	return grants, worker, err
}

// probes answers a cluster or a load balancer.
func probes(mux *http.ServeMux, grants *grant.Keeper) error {
	ready, err := upkeep.Ready(nil, grants)
	if err != nil {
		return err
	}
	mux.Handle("GET /ready", ready)
	mux.Handle("GET /live", upkeep.Live())
	return nil
}

// mustLogIn prints who must log in again, now or soon.
func mustLogIn(ctx context.Context, grants *grant.Keeper) error {
	query := &upkeep.Query{States: []upkeep.State{upkeep.Dead, upkeep.Expiring}}
	for g, err := range upkeep.Grants(ctx, query, grants) {
		if err != nil {
			return err
		}
		fmt.Println(g.Subject, g.State, g.Dead, g.Ends)
	}
	return nil
}

// TestGrantsOfInstagramStayAlive runs the code of the page about operations at
// a server where a grant that nobody uses dies after 60 days. The program runs
// for six hours after 50 days, and again after 105 days.
func TestGrantsOfInstagramStayAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := provider.Get("instagram")
		if err != nil {
			t.Fatal(err)
		}
		fake, app := oauthtest.New(t, &oauthtest.Options{Provider: p}), oauthtest.ConfidentialApp()
		client, err := oauth.New(p, oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
		}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
		if err != nil {
			t.Fatal(err)
		}
		access, _, err := fake.IssueToken("", app.ClientID)
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, TokenType: "bearer", Expiry: time.Now().Add(time.Hour)}
		store := storage.NewMemory()
		run := func(hours time.Duration, do func(*grant.Keeper)) {
			grants, worker, err := operated(client, store, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			do(grants)
			time.Sleep(hours * time.Hour)
			if err := errors.Join(worker.Close(), grants.Close()); err != nil {
				t.Error(err)
			}
		}
		run(1, func(grants *grant.Keeper) {
			if _, err := grants.Save(t.Context(), "u", tok); err != nil {
				t.Fatal(err)
			}
		})
		time.Sleep(50 * 24 * time.Hour)
		run(6, func(*grant.Keeper) {}) // nobody asks for a token
		time.Sleep(55 * 24 * time.Hour)
		run(6, func(grants *grant.Keeper) {
			if _, err := grants.Source("u").Token(t.Context()); err != nil {
				t.Errorf("after 105 days without a use Token() = %v, want a token", err)
			}
			if err := mustLogIn(t.Context(), grants); err != nil {
				t.Error(err)
			}
			answerProbes(t, grants)
		})
	})
}

func answerProbes(t *testing.T, grants *grant.Keeper) {
	t.Helper()
	mux := http.NewServeMux()
	if err := probes(mux, grants); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/ready", "/live"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("GET %s = %d, want 200", path, w.Code)
		}
	}
}
