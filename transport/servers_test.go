package transport_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/servers"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// facts are what a provider.Provider says about a server that does not follow
// the RFCs. A server that is not here needs no facts.
var facts = map[string]func(*provider.Provider){
	"zitadel":              rejectsWith403,
	"django-oauth-toolkit": rejectsWith403,
	"dex": func(p *provider.Provider) {
		rejectsWith403(p)
		p.Classify = deadIf(func(a provider.Answer) bool {
			return a.Code() == "invalid_request" && strings.Contains(a.Description(), "already been claimed")
		})
	},
	"glewlwyd": func(p *provider.Provider) {
		p.Classify = deadIf(func(a provider.Answer) bool { return len(a.Body()) == 0 })
	},
	"node-oauth2-server": func(p *provider.Provider) { p.ClientAuth = provider.BasicRaw },
	"go-oauth2":          func(p *provider.Provider) { p.ClientAuth = provider.BasicRaw },
}

func rejectsWith403(p *provider.Provider) { p.API.RejectedStatuses = []int{401, 403} }

// deadIf recognises a dead refresh token among the answers with status 400.
func deadIf(dead func(provider.Answer) bool) func(provider.Answer) provider.Verdict {
	return func(a provider.Answer) provider.Verdict {
		if a.Op == "refresh" && a.Status == http.StatusBadRequest && dead(a) {
			return provider.Verdict{Fixer: provider.UserCanFix}
		}
		return provider.Verdict{}
	}
}

// TestKnownServers stays logged in at each server that package servers knows:
// many calls at once meet a rejected token, again and again, and then the user
// withdraws access.
func TestKnownServers(t *testing.T) {
	for name, like := range servers.Known() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { atServer(t, like, facts[name]) })
		})
	}
}

func atServer(t *testing.T, like func(*oauthtest.Knobs), describe func(*provider.Provider)) {
	const user = "2244994945"
	p := oauthtest.New(t, nil).Provider("")
	if describe != nil {
		describe(p)
	}
	fake := oauthtest.New(t, &oauthtest.Options{Provider: p})
	fake.Set(like)
	base := fake.Transport()
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"read"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: base}})
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	rt, err := transport.New(grants, &transport.Options{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	call := func() error {
		req, err := http.NewRequestWithContext(grants.WithSubject(t.Context(), user), http.MethodGet, p.IdentityURL, nil)
		if err != nil {
			return err
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			return errors.Join(errors.New(resp.Status), err)
		}
		return nil
	}
	testworld.LogIn(t, fake, client, grants, user, user)
	for round := 1; round <= 3; round++ {
		time.Sleep(time.Minute)
		fake.ExpireAccess(user)
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				if err := call(); err != nil {
					t.Errorf("a call of round %d = %v", round, err)
				}
			})
		}
		calls.Wait()
		if n := fake.TokenCalls("refresh_token"); n != round {
			t.Fatalf("%d refreshes after %d rounds", n, round)
		}
	}
	time.Sleep(time.Minute)
	before := fake.TokenCalls("refresh_token")
	if err := fake.RevokeGrant(user, app.ClientID); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := call(); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("a call without a grant = %v, want ErrReauthorize", err)
		}
		time.Sleep(time.Minute)
	}
	if n := fake.TokenCalls("refresh_token") - before; n != 1 {
		t.Errorf("%d refreshes were tried without a grant, want 1", n)
	}
	testworld.LogIn(t, fake, client, grants, user, user)
	if err := call(); err != nil {
		t.Errorf("a call after a new login = %v", err)
	}
}
