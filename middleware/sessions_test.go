package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	edge    = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0"
)

// logInAs is logIn of a browser with this User-Agent.
func (w *world) logInAs(b *browser, agent string) *http.Cookie {
	w.t.Helper()
	a := b.get(w.consent(b.start("/")), "User-Agent", agent)
	if a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("callback = %d %s, want 303", a.StatusCode, a.title())
	}
	return sessionOf(b.t, a)
}

// sessions returns the sessions of the default user, which must be that many.
func (w *world) sessions(t *testing.T, want int) []middleware.Session {
	t.Helper()
	list, err := w.login.Sessions(t.Context(), oauthtest.DefaultUser().ID)
	if err != nil || len(list) != want {
		t.Fatalf("Sessions = %v, %v, want %d sessions", list, err, want)
	}
	return list
}

// with opens the page with nothing but this cookie.
func (w *world) with(t *testing.T, c *http.Cookie) answer {
	t.Helper()
	return newBrowser(t, w.mux).get("/timeline", "Cookie", c.Name+"="+c.Value)
}

// M9: Sessions can be listed and ended one by one, have an idle timeout and an
// upper bound, and end when access is withdrawn at the server.
func TestM9_SessionsAreListedAndEndedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		user := oauthtest.DefaultUser().ID
		w.sessions(t, 0)
		begin := time.Now()
		desk := w.logInAs(newBrowser(t, w.mux), firefox)
		time.Sleep(time.Hour)
		phone := w.logInAs(newBrowser(t, w.mux), safari)
		time.Sleep(time.Hour)
		office := w.logInAs(newBrowser(t, w.mux), edge)

		list := w.sessions(t, 3)
		var got []string
		for _, s := range list {
			got = append(got, fmt.Sprintf("%s %v %v", s.Device, s.Began.Sub(begin).Round(time.Second), s.Expires.Sub(s.Began)))
			if s.User.Subject != user || s.Seen != s.Began {
				t.Errorf("session = %+v, want one of %s, not used yet", s, user)
			}
			exposure.Check(t, "a session", s, desk.Value, phone.Value, office.Value)
		}
		want := "[Edge on Windows 2h0m0s 168h0m0s Safari on iPhone 1h0m0s 168h0m0s Firefox on Linux 0s 168h0m0s]"
		if fmt.Sprint(got) != want {
			t.Errorf("sessions = %v, want %s", got, want)
		}

		if err := w.login.EndSession(t.Context(), user, list[1].ID); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "the session that was ended", w.with(t, phone), http.StatusSeeOther)
		wantStatus(t, "another session", w.with(t, desk), http.StatusOK)
		if err := w.login.EndSessions(t.Context(), user, list[0].ID); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "the session that was kept", w.with(t, office), http.StatusOK)
		wantStatus(t, "an other session", w.with(t, desk), http.StatusSeeOther)
		w.sessions(t, 1)
		if err := w.login.EndSessions(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "the last session", w.with(t, office), http.StatusSeeOther)
		w.sessions(t, 0)
		for _, id := range []string{"", "no such session", list[0].ID} {
			if err := w.login.EndSession(t.Context(), user, id); err != nil {
				t.Errorf("EndSession(%q) = %v, want nil", id, err)
			}
		}
		if err := w.login.EndSession(t.Context(), "nobody", list[0].ID); err != nil {
			t.Errorf("EndSession of a user without sessions = %v, want nil", err)
		}
		if n := revocations(w.fake); n != 0 {
			t.Errorf("%d revocations, want none: the grant lives on", n)
		}
	})
}

// A15: no ID from before a login is worth anything after it.
func TestM9_EveryLoginBeginsANewSession(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	first := sessionOf(t, w.logIn(b, ""))
	id := w.sessions(t, 1)[0].ID
	second := sessionOf(t, w.logIn(b, ""))
	if now := w.sessions(t, 1)[0].ID; now == id || second.Value == first.Value {
		t.Errorf("session %s after a login in the browser of session %s, want another one", now, id)
	}
	wantStatus(t, "the session before the second login", w.with(t, first), http.StatusSeeOther)
	wantStatus(t, "the session of the second login", w.with(t, second), http.StatusOK)
}

// Another user in the same browser ends the session of the first one there, and
// no other session.
func TestM9_AnotherUserInTheSameBrowser(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	first := sessionOf(t, w.logIn(b, ""))
	elsewhere := sessionOf(t, w.logIn(newBrowser(t, w.mux), ""))
	if err := w.fake.AddUser(oauthtest.User{ID: "7", Username: "other"}); err != nil {
		t.Fatal(err)
	}
	w.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = "7" })
	second := sessionOf(t, w.logIn(b, ""))
	wantStatus(t, "the first user's session in this browser", w.with(t, first), http.StatusSeeOther)
	wantStatus(t, "the first user's session elsewhere", w.with(t, elsewhere), http.StatusOK)
	if a := w.with(t, second); a.body != "timeline of 7" {
		t.Errorf("page of the second user = %d %q", a.StatusCode, a.body)
	}
}

func TestM9_TheLeastUsedOf33SessionsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		var cookies []*http.Cookie
		for range 32 {
			cookies = append(cookies, w.logInAs(newBrowser(t, w.mux), firefox))
			time.Sleep(time.Minute)
		}
		wantStatus(t, "the first session", w.with(t, cookies[0]), http.StatusOK) // now it is not the least used one
		synctest.Wait()
		cookies = append(cookies, w.logInAs(newBrowser(t, w.mux), firefox))
		w.sessions(t, 32)
		for i, c := range cookies {
			want := http.StatusOK
			if i == 1 {
				want = http.StatusSeeOther
			}
			wantStatus(t, fmt.Sprintf("session %d", i), w.with(t, c), want)
		}
	})
}

func TestM9_IdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{options: middleware.Options{IdleTimeout: 30 * time.Minute}})
		used, unused := w.logInAs(newBrowser(t, w.mux), firefox), w.logInAs(newBrowser(t, w.mux), safari)
		for range 10 {
			time.Sleep(29 * time.Minute)
			wantStatus(t, "a session that is used", w.with(t, used), http.StatusOK)
		}
		wantStatus(t, "a session that was not used", w.with(t, unused), http.StatusSeeOther)
		if got := w.sessions(t, 1)[0].Device; got != "Firefox on Linux" {
			t.Errorf("the session left is of %s, want the one in use", got)
		}
		time.Sleep(30 * time.Minute)
		wantStatus(t, "a session after 30 minutes", w.with(t, used), http.StatusSeeOther)
	})
}

// A session that one process serves is not idle for another one.
func TestM9_IdleTimeoutWithTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup{fake: xapi.New(t, nil), keys: newKeys(t), store: &brokenStore{Store: storage.NewMemory()}}
		s.options.IdleTimeout = 30 * time.Minute
		here, there := newWorld(t, s), newWorld(t, s)
		c := here.logInAs(newBrowser(t, here.mux), firefox)
		for range 20 {
			time.Sleep(4 * time.Minute)
			wantStatus(t, "here", here.with(t, c), http.StatusOK)
		}
		wantStatus(t, "there", there.with(t, c), http.StatusOK)
		time.Sleep(29 * time.Minute)
		wantStatus(t, "there, after 29 minutes", there.with(t, c), http.StatusOK)
		synctest.Wait()
		time.Sleep(26 * time.Minute)
		wantStatus(t, "here, after 26 minutes more", here.with(t, c), http.StatusOK)
		synctest.Wait()
		time.Sleep(30 * time.Minute)
		wantStatus(t, "there, after 30 minutes without use", there.with(t, c), http.StatusSeeOther)
		wantStatus(t, "here, after 30 minutes without use", here.with(t, c), http.StatusSeeOther)
	})
}

// countingStore counts the calls for the sessions and the grants.
type countingStore struct {
	storage.Store
	gets, puts atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if !strings.HasPrefix(key, "due.") {
		s.gets.Add(1)
	}
	return s.Store.Get(ctx, key)
}

func (s *countingStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if strings.HasPrefix(key, "sessions.") {
		s.puts.Add(1)
	}
	return s.Store.Put(ctx, key, value, old)
}

// A page costs no call of the store, besides a look every half minute. That a
// session was used is written every five minutes at most.
func TestM9_PagesCostNoCallOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Store: storage.NewMemory()}
		w := newWorld(t, setup{store: store})
		c := w.logInAs(newBrowser(t, w.mux), firefox)
		began := time.Now()
		wantStatus(t, "the first page", w.with(t, c), http.StatusOK)
		store.gets.Store(0)
		store.puts.Store(0)
		for range 3600 {
			time.Sleep(time.Second)
			if a := w.with(t, c); a.StatusCode != http.StatusOK {
				t.Fatalf("page = %d", a.StatusCode)
			}
		}
		synctest.Wait()
		// 120 looks of two reads each, and one read for each write.
		if gets, puts := store.gets.Load(), store.puts.Load(); gets > 260 || puts != 12 {
			t.Errorf("3600 pages in an hour cost %d reads and %d writes, want at most 260 and 12", gets, puts)
		}
		if seen := w.sessions(t, 1)[0].Seen.Sub(began); seen < 55*time.Minute {
			t.Errorf("Seen is %v after the login, want the last five minutes of an hour", seen)
		}
	})
}

// Without notifications of the store, another process sees the end of a session
// within half a minute, and its beginning at once.
func TestM9_AnotherProcessSeesItSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup{fake: xapi.New(t, nil), keys: newKeys(t), store: &brokenStore{Store: storage.NewMemory()}}
		here, there := newWorld(t, s), newWorld(t, s)
		desk := here.logInAs(newBrowser(t, here.mux), firefox)
		wantStatus(t, "the session in the other process", there.with(t, desk), http.StatusOK)
		phone := here.logInAs(newBrowser(t, here.mux), safari)
		wantStatus(t, "a session that began a moment ago", there.with(t, phone), http.StatusOK)

		if err := here.login.EndSessions(t.Context(), oauthtest.DefaultUser().ID); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "a session that was ended, here", here.with(t, desk), http.StatusSeeOther)
		time.Sleep(30 * time.Second)
		wantStatus(t, "a session that was ended, there", there.with(t, desk), http.StatusSeeOther)
	})
}

// Where the store notifies of changes, the other process sees the end at once.
func TestM9_ANotificationEndsASessionAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup{fake: xapi.New(t, nil), keys: newKeys(t), store: storage.NewMemory()}
		here, there := newWorld(t, s), newWorld(t, s)
		c := here.logInAs(newBrowser(t, here.mux), firefox)
		for range 3 { // after that it is known there, and no notification is under way
			synctest.Wait()
			wantStatus(t, "the session in the other process", there.with(t, c), http.StatusOK)
		}
		if err := here.login.EndSessions(t.Context(), oauthtest.DefaultUser().ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantStatus(t, "the session that was ended", there.with(t, c), http.StatusSeeOther)
	})
}

// A process that cannot reach the store honours the sessions that it knows for
// 15 minutes (G12). Nobody is logged out by that.
func TestG12_AProcessWithoutTheStoreStopsHonouringSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := storage.NewMemory()
		cut := &brokenStore{Store: base}
		s := setup{fake: xapi.New(t, nil), keys: newKeys(t), store: &brokenStore{Store: base}}
		here := newWorld(t, s)
		var errs seen
		s.store, s.options.OnError = cut, errs.onError
		there := newWorld(t, s)
		desk, phone := here.logInAs(newBrowser(t, here.mux), firefox), here.logInAs(newBrowser(t, here.mux), safari)
		wantStatus(t, "desk before the outage", there.with(t, desk), http.StatusOK)
		wantStatus(t, "phone before the outage", there.with(t, phone), http.StatusOK)

		cut.set(func(string, string) bool { return true })
		user := oauthtest.DefaultUser().ID
		phoneID := here.sessions(t, 2)[0].ID
		if err := here.login.EndSession(t.Context(), user, phoneID); err != nil {
			t.Fatal(err)
		}
		for range 29 {
			time.Sleep(30 * time.Second)
			wantStatus(t, "desk in the outage", there.with(t, desk), http.StatusOK)
			wantStatus(t, "desk in the outage, once more", there.with(t, desk), http.StatusOK)
			_, _ = there.grants.Source(user).Token(t.Context()) // the grant in memory is used as well
		}
		time.Sleep(30 * time.Second)
		for _, c := range []*http.Cookie{desk, phone} {
			a := there.with(t, c)
			wantStatus(t, "a page after 15 minutes of outage", a, http.StatusServiceUnavailable)
			errs.want(t, "a page after 15 minutes of outage", tokensource.ErrTemporary)
			if a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 {
				t.Errorf("Retry-After %q, cookies %v, want one and none", a.Header.Get("Retry-After"), a.Cookies())
			}
		}
		cut.set(nil)
		time.Sleep(6 * time.Second)
		wantStatus(t, "desk after the outage", there.with(t, desk), http.StatusOK)
		wantStatus(t, "phone after the outage", there.with(t, phone), http.StatusSeeOther)
	})
}

// A copy of the cookie is worth nothing after the user has withdrawn access at
// the server, not even when the user logs in again elsewhere.
func TestM9_AStolenCookieDiesWithTheWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		stolen := w.logInAs(newBrowser(t, w.mux), firefox)
		user := oauthtest.DefaultUser().ID
		if err := w.fake.RevokeGrant(user, w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		if _, err := w.grants.Source(user).Token(t.Context()); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Fatalf("Token = %v, want ErrReauthorize", err)
		}
		wantStatus(t, "the cookie after the withdrawal", w.with(t, stolen), http.StatusSeeOther)
		fresh := w.logInAs(newBrowser(t, w.mux), safari)
		wantStatus(t, "the cookie after a login elsewhere", w.with(t, stolen), http.StatusSeeOther)
		wantStatus(t, "the new session", w.with(t, fresh), http.StatusOK)
		if list := w.sessions(t, 1); list[0].Device != "Safari on iPhone" {
			t.Errorf("the session left is of %s, want the new one", list[0].Device)
		}
	})
}

// The same holds if the user authorizes the app again without this Login.
func TestM9_AStolenCookieStaysDeadAfterASave(t *testing.T) {
	w := newWorld(t, setup{})
	stolen := w.logInAs(newBrowser(t, w.mux), firefox)
	user := oauthtest.DefaultUser().ID
	if err := w.grants.Logout(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	access, refresh, err := w.fake.IssueToken(user, w.client.ClientID(), "tweet.read", "users.read", "offline.access")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.grants.Save(t.Context(), user, &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer"}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "the session of the grant that ended", w.with(t, stolen), http.StatusSeeOther)
	w.sessions(t, 0)
	w.works(t, "the grant that was saved")
}

// The same holds if the app has not noticed the withdrawal when the user logs
// in again, where the server keeps several grants of a user.
func TestM9_AStolenCookieDiesWithAWithdrawalThatNobodyNoticed(t *testing.T) {
	for _, withdrawn := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			many := provider.X()
			many.SingleGrant = false
			w := newWorld(t, setup{fake: xapi.New(t, &oauthtest.Options{Provider: many})})
			stolen := w.logInAs(newBrowser(t, w.mux), firefox)
			time.Sleep(time.Hour)
			want := http.StatusOK
			if withdrawn {
				want = http.StatusSeeOther
				if err := w.fake.RevokeGrant(oauthtest.DefaultUser().ID, w.client.ClientID()); err != nil {
					t.Fatal(err)
				}
			}
			fresh := w.logInAs(newBrowser(t, w.mux), safari)
			wantStatus(t, fmt.Sprintf("the older session after a login (access withdrawn: %v)", withdrawn), w.with(t, stolen), want)
			wantStatus(t, "the new session", w.with(t, fresh), http.StatusOK)
			w.works(t, "the new grant")
		})
	}
}

// M10: Name, picture and chosen claims of the user are available after login
// without another call.
func TestM10_TheSessionKnowsTheUser(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	calls := len(w.fake.Requests())
	user := oauthtest.DefaultUser()
	for _, behind := range []bool{false, true} {
		var got middleware.Session
		var ok bool
		page := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, ok = w.login.Session(r) }))
		if behind {
			page = w.login.Require(page)
		}
		b.at(page).get("/")
		if !ok || got.User.Subject != user.ID || got.User.Name != user.Name || got.User.Username != user.Username {
			t.Errorf("Session (behind Require: %v) = %+v, %v, want %s and the name", behind, got, ok, user.ID)
		}
		if list := w.sessions(t, 1); list[0].ID != got.ID {
			t.Errorf("Session.ID = %q, want %q as in the list", got.ID, list[0].ID)
		}
	}
	if n := len(w.fake.Requests()) - calls; n != 0 {
		t.Errorf("%d calls of the server, want none", n)
	}
	if _, ok := w.login.Session(newRequest(t, "/")); ok {
		t.Error("Session of a request without a cookie: want none")
	}
}

func newRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The picture and the claims come from the app's own Identify as well.
func TestM10_PictureAndClaims(t *testing.T) {
	want := provider.Identity{
		Subject: "7", Name: "Ada <b>", Username: "ada", Picture: "https://img.example/7", Claims: map[string]string{"email": "ada@example.com"},
	}
	identify := func(context.Context, *oauth2.Token) (provider.Identity, error) { return want, nil }
	s := setup{fake: xapi.New(t, nil), store: storage.NewMemory(), keys: newKeys(t), options: middleware.Options{Identify: identify}}
	w := newWorld(t, s)
	c := w.logInAs(newBrowser(t, w.mux), firefox)
	other := newWorld(t, s) // another process
	r := newRequest(t, "/")
	r.AddCookie(c)
	if got, ok := other.login.Session(r); !ok || !reflect.DeepEqual(got.User, want) {
		t.Errorf("Session = %+v, %v, want %+v", got.User, ok, want)
	}
	want.Claims["all"] = strings.Repeat("x", 20<<10)
	r = newRequest(t, "/")
	r.AddCookie(w.logInAs(newBrowser(t, w.mux), firefox))
	if got, ok := w.login.Session(r); !ok || got.User.Name != want.Name || got.User.Picture != want.Picture || got.User.Claims != nil {
		t.Errorf("Session with claims of 20 KiB = %+v, %v, want all but the claims", got.User, ok)
	}
}

// Forget leaves nothing of a user, and nothing of it can be used.
func TestForget(t *testing.T) {
	store := storage.NewMemory()
	w := newWorld(t, setup{store: store})
	c := w.logInAs(newBrowser(t, w.mux), firefox)
	user := oauthtest.DefaultUser().ID
	for range 2 {
		if err := w.login.Forget(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, "the session", w.with(t, c), http.StatusSeeOther)
	if _, err := w.grants.Source(user).Token(t.Context()); !errors.Is(err, tokensource.ErrNoGrant) {
		t.Errorf("Token = %v, want ErrNoGrant", err)
	}
	if got := fmt.Sprint(revoked(w.fake)); got != bothRevoked {
		t.Errorf("revoked = %s, want %s", got, bothRevoked)
	}
	if got := keysWith(t, store, "sessions.", "login."); len(got) != 0 {
		t.Errorf("records left = %v, want none", got)
	}
}

// keysWith returns the keys of a store that begin with one of the prefixes.
func keysWith(t *testing.T, store *storage.Memory, prefixes ...string) (keys []string) {
	t.Helper()
	for key, err := range store.Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Who can write to the store cannot give one user the sessions of another one,
// and who can read it finds no ID that can be used.
func TestM9_SessionRecordOfAnotherUser(t *testing.T) {
	store := storage.NewMemory()
	var errs seen
	s := setup{store: store, keys: newKeys(t), fake: xapi.New(t, nil), options: middleware.Options{OnError: errs.onError}}
	w := newWorld(t, s)
	mine := w.logInAs(newBrowser(t, w.mux), firefox)
	if err := w.fake.AddUser(oauthtest.User{ID: "7", Username: "other"}); err != nil {
		t.Fatal(err)
	}
	before := keysWith(t, store, "sessions.")
	w.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = "7" })
	w.logInAs(newBrowser(t, w.mux), safari)
	for _, key := range keysWith(t, store, "sessions.") {
		record, err := store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(record.Value()), mine.Value) {
			t.Error("the record of the sessions contains a cookie")
		}
		if slices.Contains(before, key) {
			continue
		}
		old, err := store.Get(t.Context(), before[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), before[0], record.Value(), old.Version); err != nil {
			t.Fatal(err)
		}
	}
	other := newWorld(t, s)
	wantStatus(t, "the page of the first user", other.with(t, mine), http.StatusInternalServerError)
	errs.want(t, "the page of the first user", middleware.ErrUnreadable)
}

func TestDevice(t *testing.T) {
	w := newWorld(t, setup{})
	for agent, want := range map[string]string{
		firefox: "Firefox on Linux", safari: "Safari on iPhone", edge: "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36":       "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15": "Safari on macOS",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36":        "Chrome on ChromeOS",
		"curl/8.14.1":               "curl/8.14.1",
		"<script>alert(1)</script>": "<script>alert(1)</script>",
		"":                          "", "caf\xe9/1": "", strings.Repeat("x", 61): "",
	} {
		w.logInAs(newBrowser(t, w.mux), agent)
		list, err := w.login.Sessions(t.Context(), oauthtest.DefaultUser().ID)
		if err != nil || len(list) == 0 || list[0].Device != want {
			t.Errorf("Device of %q = %v, %v, want %q", agent, list, err, want)
		}
		if err := w.login.EndSessions(t.Context(), oauthtest.DefaultUser().ID); err != nil {
			t.Fatal(err)
		}
	}
}
