package middleware_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestM6_SessionCookie(t *testing.T) {
	w := newWorld(t, setup{})
	a := w.logIn(newBrowser(t, w.mux), "")
	for _, c := range a.Cookies() {
		if c.Path != "/" || c.Domain != "" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %s has Path=%q Domain=%q HttpOnly=%v Secure=%v SameSite=%v", c.Name, c.Path, c.Domain, c.HttpOnly, c.Secure, c.SameSite)
		}
		if strings.Contains(c.Value, oauthtest.DefaultUser().ID) || len(c.Name)+len(c.Value) > 4096 {
			t.Errorf("cookie %s shows the subject or is too long (%d)", c.Name, len(c.Value))
		}
	}
}

// TestM6_SessionIsNew: no value from before the login is worth anything after
// it (attack A15).
func TestM6_SessionIsNew(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	first := sessionOf(t, w.logIn(b, ""))
	second := sessionOf(t, w.logIn(b, ""))
	if first.Value == second.Value {
		t.Error("two logins gave one session value")
	}
	flow := b.get("/authorize").Cookies()[0]
	planted := newBrowser(t, w.mux).get("/timeline", "Cookie", first.Name+"="+flow.Value)
	wantStatus(t, "a flow's value as session", planted, http.StatusSeeOther)
}

// TestM6_CookieTossing sends what a sibling subdomain or a broken proxy could
// add (attack A16).
func TestM6_CookieTossing(t *testing.T) {
	w := newWorld(t, setup{})
	mine := sessionOf(t, w.logIn(newBrowser(t, w.mux), ""))
	if err := w.fake.AddUser(oauthtest.User{ID: "666", Username: "mallory"}); err != nil {
		t.Fatal(err)
	}
	w.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = "666" })
	other := sessionOf(t, w.logIn(newBrowser(t, w.mux), ""))
	plain := strings.TrimPrefix(mine.Name, "__Host-")
	for _, tt := range []struct {
		name, header string
		want         int
	}{
		{"my session", mine.Name + "=" + mine.Value, 200},
		{"my session beside a plain one", plain + "=" + other.Value + "; " + mine.Name + "=" + mine.Value, 200},
		{"the plain name alone", plain + "=" + other.Value, 303},
		{"another's first", mine.Name + "=" + other.Value + "; " + mine.Name + "=" + mine.Value, 303},
		{"another's last", mine.Name + "=" + mine.Value + "; " + mine.Name + "=" + other.Value, 303},
		{"one bit flipped", mine.Name + "=" + mine.Value[:30] + flip(mine.Value[30:31]) + mine.Value[31:], 303},
		{"cut", mine.Name + "=" + mine.Value[:30], 303},
		{"too long", mine.Name + "=" + strings.Repeat("A", 9000), 303},
	} {
		a := newBrowser(t, w.mux).get("/timeline", "Cookie", tt.header)
		wantStatus(t, tt.name, a, tt.want)
		if tt.want == 200 && a.body != "timeline of "+oauthtest.DefaultUser().ID {
			t.Errorf("%s: %q", tt.name, a.body)
		}
	}
}

func TestM6_SessionExpires(t *testing.T) {
	for _, tt := range []struct {
		life, wait time.Duration
		want       int
	}{
		{0, 7*24*time.Hour - time.Second, 200},
		{0, 7 * 24 * time.Hour, 303},
		{time.Hour, time.Hour, 303},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{dueInterval: time.Hour, options: middleware.Options{SessionLifetime: tt.life}})
			c := sessionOf(t, w.logIn(newBrowser(t, w.mux), ""))
			time.Sleep(tt.wait)
			a := newBrowser(t, w.mux).get("/timeline", "Cookie", c.Name+"="+c.Value)
			wantStatus(t, "session after "+tt.wait.String(), a, tt.want)
		})
	}
}

// TestM6_SessionEndsWithTheGrant: a disconnect anywhere ends every session, and
// a later login does not bring them back.
func TestM6_SessionEndsWithTheGrant(t *testing.T) {
	w := newWorld(t, setup{})
	phone, desk := newBrowser(t, w.mux), newBrowser(t, w.mux)
	w.logIn(phone, "")
	w.logIn(desk, "")
	wantStatus(t, "the first session after a second login", phone.get("/timeline"), http.StatusOK)
	desk.do(http.MethodPost, "/disconnect")
	wantStatus(t, "another browser's session after the disconnect", phone.get("/timeline"), http.StatusSeeOther)
	w.logIn(desk, "")
	wantStatus(t, "that session after a new login", phone.get("/timeline"), http.StatusSeeOther)
	wantStatus(t, "the new session", desk.get("/timeline"), http.StatusOK)
	// The old session cannot end the new grant either.
	wantStatus(t, "disconnect with the old session", phone.do(http.MethodPost, "/disconnect"), http.StatusSeeOther)
	wantStatus(t, "the new session after that", desk.get("/timeline"), http.StatusOK)
}

// TestM6_DeadGrant: a user who withdrew access at the provider is sent to log
// in, which revives the grant.
func TestM6_DeadGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		w.logIn(b, "")
		user := oauthtest.DefaultUser().ID
		if err := w.fake.RevokeGrant(user, w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour) // the access token expires
		if _, err := w.grants.Token(w.grants.WithSubject(t.Context(), user)); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Fatalf("Token = %v, want ErrReauthorize", err)
		}
		wantStatus(t, "page after the grant died", b.get("/timeline"), http.StatusSeeOther)
		w.logIn(b, "")
		wantStatus(t, "page after a new login", b.get("/timeline"), http.StatusOK)
	})
}

// memorySessions is what an app's own session library looks like: an identifier
// in a cookie, and values by name on the server.
type memorySessions struct {
	values map[string]map[string]string
	next   int
}

func (m *memorySessions) Get(r *http.Request, name string) (string, error) {
	c, err := r.Cookie("sid")
	if err != nil {
		return "", nil //nolint:nilerr // no cookie is no session, and no failure
	}
	return m.values[c.Value][name], nil
}

func (m *memorySessions) Set(w http.ResponseWriter, r *http.Request, name, value string) error {
	values := map[string]string{}
	if old, err := r.Cookie("sid"); err == nil {
		maps.Copy(values, m.values[old.Value])
		delete(m.values, old.Value)
	}
	m.next++
	id := strings.Repeat("i", m.next)
	values[name] = value
	m.values[id] = values
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/", Secure: true, HttpOnly: true})
	return nil
}

func TestM6_OwnSessions(t *testing.T) {
	own := &memorySessions{values: map[string]map[string]string{}}
	w := newWorld(t, setup{options: middleware.Options{Sessions: own}})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	if got := b.cookies("session"); len(got) != 0 {
		t.Errorf("session cookies of ours = %v, want none", got)
	}
	for _, values := range own.values {
		for name, value := range values {
			if value == "" || strings.Contains(value, oauthtest.DefaultUser().ID) {
				t.Errorf("value %q = %q given to Sessions, want a sealed one", name, value)
			}
		}
	}
	wantStatus(t, "page", b.get("/timeline"), http.StatusOK)
	b.do(http.MethodPost, "/logout")
	wantStatus(t, "page after the logout", b.get("/timeline"), http.StatusSeeOther)
}

func TestM6_OwnSessionsDown(t *testing.T) {
	w := newWorld(t, setup{options: middleware.Options{Sessions: brokenSessions{}}})
	wantStatus(t, "page", newBrowser(t, w.mux).get("/timeline"), http.StatusServiceUnavailable)
	wantStatus(t, "logout", newBrowser(t, w.mux).do(http.MethodPost, "/logout"), http.StatusServiceUnavailable)
}

func sessionOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	for _, c := range a.Cookies() {
		if strings.HasSuffix(c.Name, "session") {
			return c
		}
	}
	t.Fatal("the answer sets no session cookie")
	return nil
}
