package middleware_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// M2: A login uses PKCE with S256 and a random state in one sealed cookie per
// flow, and is used once across replicas.
func TestM2_Login(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	a := b.get("/authorize?return_to=%2Ftimeline%3Fpage%3D2")
	wantStatus(t, "GET /authorize", a, http.StatusSeeOther)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("/authorize: %s = %q, want %q", name, got, want)
		}
	}
	u, err := url.Parse(a.location())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "redirect_uri": "https://app.example/callback",
	} {
		if q.Get(name) != want {
			t.Errorf("authorization request: %s = %q, want %q", name, q.Get(name), want)
		}
	}
	if len(q.Get("state")) != 43 || len(q.Get("code_challenge")) != 43 {
		t.Errorf("state and challenge have %d and %d characters, want 43", len(q.Get("state")), len(q.Get("code_challenge")))
	}

	a = b.get(w.consent(a.location()))
	if a.StatusCode != http.StatusSeeOther || a.location() != "/timeline?page=2" {
		t.Errorf("callback = %d to %q, want 303 to /timeline?page=2", a.StatusCode, a.location())
	}
	if got := b.cookies("flow"); len(got) != 0 {
		t.Errorf("flow cookies after the login = %v, want none", got)
	}
	if a := b.get("/timeline?page=2"); a.body != "timeline of 2244994945" {
		t.Errorf("GET /timeline = %d %q, want the user's page", a.StatusCode, a.body)
	}
	if err := w.fake.Audit(); err != nil {
		t.Error(err)
	}
}

func TestM2_FlowCookie(t *testing.T) {
	tests := []struct {
		redirectURL, host string
		secure            bool
	}{
		{"https://app.example/callback", "app.example", true},
		{"http://127.0.0.1:8080/callback", "127.0.0.1:8080", false},
	}
	for _, tt := range tests {
		w := newWorld(t, setup{redirectURL: tt.redirectURL})
		b := newBrowser(t, w.mux)
		b.origin = strings.TrimSuffix(tt.redirectURL, "/callback")
		a := b.get("/authorize")
		state := query(t, a.location(), "state")
		if n := len(a.Cookies()); n != 1 {
			t.Fatalf("%s: %d cookies, want 1", tt.redirectURL, n)
		}
		c := a.Cookies()[0]
		if strings.HasPrefix(c.Name, "__Host-") != tt.secure || c.Secure != tt.secure {
			t.Errorf("%s: cookie %s, Secure %v; want the prefix __Host- and Secure: %v", tt.redirectURL, c.Name, c.Secure, tt.secure)
		}
		if c.Path != "/" || c.Domain != "" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
			t.Errorf("%s: cookie %v, want Path=/, no Domain, HttpOnly, SameSite=Lax, Max-Age=600", tt.redirectURL, c)
		}
		if strings.Contains(c.Name+c.Value, state) {
			t.Errorf("%s: the cookie shows the state", tt.redirectURL)
		}
		if got := b.get(w.consent(a.location())); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: callback = %d, want 303", tt.redirectURL, got.StatusCode)
		}
	}
}

func TestM2_ValuesOfTwoTabsAreDisjoint(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	seen := map[string]bool{}
	for range 5 {
		target := b.start("")
		for _, name := range []string{"state", "code_challenge"} {
			if v := query(t, target, name); seen[v] {
				t.Errorf("%s came twice", name)
			} else {
				seen[v] = true
			}
		}
	}
}

// TestM2_Tabs starts logins in several tabs and finishes them in another order.
func TestM2_Tabs(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	var targets []string
	for i := range 8 {
		targets = append(targets, b.start(fmt.Sprintf("/tab/%d", i)))
	}
	for _, i := range []int{3, 0, 7, 1, 6, 2, 5, 4} {
		a := b.get(w.consent(targets[i]))
		if want := fmt.Sprintf("/tab/%d", i); a.location() != want {
			t.Errorf("tab %d ended at %d %q, want %q", i, a.StatusCode, a.location(), want)
		}
	}
}

// TestM2_FlowsAreBounded starts more logins than a browser keeps: the oldest
// ones go (attacks A17 and A19).
func TestM2_FlowsAreBounded(t *testing.T) {
	tests := []struct {
		name            string
		pathLength      int
		atLeast, atMost int
	}{
		{"short return paths", 10, 10, 10},
		{"long return paths", 1500, 1, 3},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{})
			b := newBrowser(t, w.mux)
			var targets []string
			for range 25 {
				targets = append(targets, b.start("/"+strings.Repeat("a", tt.pathLength)))
				time.Sleep(time.Second)
			}
			if n := len(b.cookies("flow")); n < tt.atLeast || n > tt.atMost {
				t.Errorf("%s: %d flow cookies, want %d to %d", tt.name, n, tt.atLeast, tt.atMost)
			}
			wantStatus(t, tt.name+": oldest flow", b.get(w.consent(targets[0])), http.StatusBadRequest)
			wantStatus(t, tt.name+": newest flow", b.get(w.consent(targets[24])), http.StatusSeeOther)
		})
	}
}

func TestM2_UnreadableFlowsGoFirst(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	oldest := b.start("/oldest")
	name := b.cookies("flow")[0]
	u, _ := url.Parse(b.origin)
	for i := range 9 {
		b.jar.SetCookies(u, []*http.Cookie{{Name: fmt.Sprintf("%s-%d", name, i), Value: "junk", Path: "/", Secure: true}})
	}
	b.start("/newest")
	if a := b.get(w.consent(oldest)); a.location() != "/oldest" {
		t.Errorf("the oldest flow ended at %d %q, want /oldest: junk has to go before it", a.StatusCode, a.location())
	}
}

// TestM2_OtherBrowser brings the answer to a browser that did not start the
// login (attack A01).
func TestM2_OtherBrowser(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	attacker, victim := newBrowser(t, w.mux), newBrowser(t, w.mux)
	victim.start("/") // a flow of its own does not help
	wantStatus(t, "callback in another browser", victim.get(w.consent(attacker.start("/"))), http.StatusBadRequest)
	errs.want(t, "callback in another browser", middleware.ErrFlowNotFound)
	if n := w.exchanges(); n != 0 {
		t.Errorf("%d exchanges, want none", n)
	}
}

// TestM2_SealedCookie changes the flow's cookie in every way that a browser or
// a neighbour could.
func TestM2_SealedCookie(t *testing.T) {
	tests := []struct {
		name   string
		change func(b *browser, mine, other *http.Cookie) []*http.Cookie
	}{
		{"one bit flipped", func(_ *browser, mine, _ *http.Cookie) []*http.Cookie {
			mine.Value = mine.Value[:40] + flip(mine.Value[40:41]) + mine.Value[41:]
			return []*http.Cookie{mine}
		}},
		{"another flow's value", func(_ *browser, mine, other *http.Cookie) []*http.Cookie {
			mine.Value = other.Value
			return []*http.Cookie{mine}
		}},
		{"two cookies of one name", func(_ *browser, mine, other *http.Cookie) []*http.Cookie {
			tossed := *mine
			tossed.Value = other.Value
			return []*http.Cookie{mine, &tossed}
		}},
		{"the same cookie twice", func(_ *browser, mine, _ *http.Cookie) []*http.Cookie {
			return []*http.Cookie{mine, mine}
		}},
		{"without the prefix", func(_ *browser, mine, _ *http.Cookie) []*http.Cookie {
			mine.Name = strings.TrimPrefix(mine.Name, "__Host-")
			return []*http.Cookie{mine}
		}},
		{"no cookie", func(*browser, *http.Cookie, *http.Cookie) []*http.Cookie { return nil }},
	}
	for _, tt := range tests {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		first, second := b.get("/authorize"), b.get("/authorize")
		cookies := tt.change(b, first.Cookies()[0], second.Cookies()[0])
		var header []string
		for _, c := range cookies {
			header = append(header, c.Name+"="+c.Value)
		}
		a := newBrowser(t, w.mux).get(w.consent(first.location()), "Cookie", strings.Join(header, "; "))
		wantStatus(t, tt.name, a, http.StatusBadRequest)
		errs.want(t, tt.name, middleware.ErrFlowNotFound)
		if n := w.exchanges(); n != 0 {
			t.Errorf("%s: %d exchanges, want none", tt.name, n)
		}
	}
}

// TestM2_FlowOfAnotherClient takes a flow to another client that has the same
// keys.
func TestM2_FlowOfAnotherClient(t *testing.T) {
	fake, keys := xapi.New(t, nil), newKeys(t)
	w := newWorld(t, setup{fake: fake, keys: keys})
	other := newWorld(t, setup{fake: fake, keys: keys, redirectURL: "https://app.example/other/callback"})
	b := newBrowser(t, w.mux)
	state := query(t, b.start("/"), "state")
	a := b.at(other.mux).get("/other/callback?code=c&state=" + state)
	wantStatus(t, "callback of another redirect URL", a, http.StatusBadRequest)
}

func TestM2_FlowExpires(t *testing.T) {
	for _, tt := range []struct {
		life, wait time.Duration
		want       int
	}{
		{0, 10*time.Minute - time.Second, http.StatusSeeOther},
		{0, 10 * time.Minute, http.StatusBadRequest},
		{time.Minute, time.Minute, http.StatusBadRequest},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{options: middleware.Options{FlowLifetime: tt.life}})
			b := newBrowser(t, w.mux)
			first := b.get("/authorize")
			cookie := first.Cookies()[0]
			time.Sleep(tt.wait)
			// A browser that keeps the cookie for longer than it was told.
			a := newBrowser(t, w.mux).get(w.consent(first.location()), "Cookie", cookie.Name+"="+cookie.Value)
			wantStatus(t, fmt.Sprintf("callback after %v of %v", tt.wait, tt.life), a, tt.want)
		})
	}
}

func query(t *testing.T, raw, name string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

func flip(c string) string {
	if c == "A" {
		return "B"
	}
	return "A"
}
