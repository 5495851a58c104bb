package middleware_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// pushing is a fake that takes pushed authorization requests only.
func pushing(t *testing.T) *xapi.Server {
	t.Helper()
	p := provider.X()
	p.PushedAuthorizationURL, p.RequirePushed = "https://api.x.com/2/oauth2/par", true
	return xapi.New(t, &oauthtest.Options{Provider: p})
}

func TestALoginIsPushed(t *testing.T) {
	w := newWorld(t, setup{fake: pushing(t), options: middleware.Options{Params: url.Values{"prompt": {"login"}}}})
	if n := len(w.fake.Requests()); n != 0 {
		t.Errorf("New() sent %d requests, want none", n)
	}
	b := newBrowser(t, w.mux)
	u, err := url.Parse(b.start("/timeline"))
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); len(q) != 2 || !q.Has("client_id") || !strings.HasPrefix(q.Get("request_uri"), "urn:ietf:params:oauth:request_uri:") {
		t.Errorf("the browser carries %q, want client_id and request_uri only", u.RawQuery)
	}
	push := w.fake.Requests(oauthtest.Match{Op: "push"})
	if len(push) != 1 || push[0].Raw().PostForm.Get("prompt") != "login" || len(push[0].Raw().PostForm.Get("state")) != 43 {
		t.Errorf("pushed = %v, want one request with all parameters", push)
	}
	if got := b.get(w.consent(u.String())).location(); got != "/timeline" {
		t.Errorf("the login ends at %q, want /timeline", got)
	}
	if a := b.get("/timeline"); a.StatusCode != http.StatusOK {
		t.Errorf("the page answers %d, want 200", a.StatusCode)
	}
}

// A reload, a second tab and a retry push requests of their own.
func TestEachLoginIsPushedAnew(t *testing.T) {
	w := newWorld(t, setup{fake: pushing(t)})
	b := newBrowser(t, w.mux)
	first, second := b.start("/"), b.start("/")
	pushes := w.fake.Requests(oauthtest.Match{Op: "push"})
	if len(pushes) != 2 || first == second {
		t.Fatalf("two logins = %d pushes to %q and %q, want two of their own", len(pushes), first, second)
	}
	one, two := pushes[0].Raw().PostForm, pushes[1].Raw().PostForm
	if one.Get("state") == two.Get("state") || one.Get("code_challenge") == two.Get("code_challenge") {
		t.Error("two pushed requests share a state or a challenge")
	}
	w.consent(first)
	if got := b.get(w.consent(second)).location(); got != "/" {
		t.Errorf("the second login ends at %q, want /", got)
	}
}

// TestAPushThatFails: the user gets a page, no flow begins, and nothing is sent
// by way of the browser.
func TestAPushThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  oauthtest.Fault
		kind   error
		status int
	}{
		"503":       {oauthtest.Fault{Status: 503}, tokensource.ErrTemporary, 503},
		"429":       {oauthtest.Fault{Status: 429}, tokensource.ErrTemporary, 503},
		"no answer": {oauthtest.Fault{Drop: true}, tokensource.ErrTemporary, 503},
		"HTML":      {oauthtest.Fault{Status: 201, Body: "<html>"}, tokensource.ErrTemporary, 503},
		"400":       {oauthtest.Fault{Status: 400, Body: `{"error":"invalid_request"}`}, tokensource.ErrClient, 500},
		"401":       {oauthtest.Fault{Status: 401, Body: `{"error":"invalid_client"}`}, tokensource.ErrClient, 500},
		"413":       {oauthtest.Fault{Status: 413}, tokensource.ErrClient, 500},
	} {
		var errs seen
		w := newWorld(t, setup{fake: pushing(t), options: middleware.Options{OnError: errs.onError}})
		w.fake.Inject(oauthtest.Match{Op: "push"}, tt.fault, 1)
		b := newBrowser(t, w.mux)
		a := b.get("/authorize?return_to=/timeline")
		facts := errs.facts(t, name, tt.kind)
		if a.location() != "" || len(b.cookies("flow")) != 0 {
			t.Errorf("%s: the browser is sent to %q and has %d flows, want neither", name, a.location(), len(b.cookies("flow")))
		}
		if tt.status == 503 && facts.Retry != "/authorize?return_to=%2Ftimeline" {
			t.Errorf("%s: Retry = %q, want a new login to the same page", name, facts.Retry)
		}
		wantStatus(t, name, a, tt.status)
		if got := b.get(w.consent(b.start("/timeline"))).location(); got != "/timeline" {
			t.Errorf("%s: the next login ends at %q, want /timeline", name, got)
		}
	}
}

// A response mode cannot hide in what is pushed.
func TestAResponseModeIsRefusedWhereRequestsArePushed(t *testing.T) {
	w := newWorld(t, setup{fake: pushing(t)})
	if _, err := middleware.New(w.grants, w.keys, &middleware.Options{Params: url.Values{"response_mode": {"fragment"}}}); err == nil {
		t.Error("New() with response_mode=fragment = nil, want an error")
	}
}
