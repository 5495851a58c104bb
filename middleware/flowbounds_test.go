package middleware_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// headerSize is the size of the headers of an answer, as a proxy reads them.
func headerSize(a answer) int {
	var b strings.Builder
	_ = a.Header.Write(&b)
	return b.Len()
}

// TestM2_LongPageLinks: a login begins for each page, if need be without the
// way back. A proxy takes 4 KiB for all headers of an answer.
func TestM2_LongPageLinks(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		back        bool
	}{
		{"short", "id=7", true},
		{"200 bytes of repeated parameters", strings.Repeat("id=7&", 40), true},
		{"1,000 bytes of repeated parameters", strings.Repeat("id=7&", 200), true},
		{"1,500 bytes of repeated parameters", strings.Repeat("id=7&", 300), true},
		{"1,500 bytes that need escapes", strings.Repeat("a=%26&", 250), true},
		{"1,900 bytes", strings.Repeat("a", 1890), false},
		{"1,900 ampersands", strings.Repeat("&", 1890), false},
		{"3,000 bytes", strings.Repeat("id=7&", 600), false},
		{"8,000 bytes", strings.Repeat("id=7&", 1600), false},
	} {
		w := newWorld(t, setup{redirectURL: "https://app.example/a/rather/long/path/callback", options: middleware.Options{AfterLogin: "/start"}})
		w.mux.Handle("/search", w.login.Require(say("page")))
		b := newBrowser(t, w.mux)
		page := "/search?" + tt.query
		first := b.get(page)
		wantStatus(t, tt.name+": page", first, http.StatusSeeOther)
		second := b.get(first.location())
		wantStatus(t, tt.name+": authorize", second, http.StatusSeeOther)
		for _, a := range []answer{first, second} {
			if n := headerSize(a); n > 3800 {
				t.Errorf("%s: %d bytes of headers, want less than 4 KiB with those of others", tt.name, n)
			}
		}
		want := "/start"
		if tt.back {
			want = page
		}
		if a := b.get(w.consent(second.location())); a.location() != want {
			t.Errorf("%s: the login ended at %d %q, want %.60q", tt.name, a.StatusCode, a.location(), want)
		}
	}
}

// TestG21_LongPageLinks: a login that cannot finish at once can be tried again
// from each page, and the answer fits into the headers that a proxy takes.
func TestG21_LongPageLinks(t *testing.T) {
	for _, n := range []int{1, 100, 300} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{})
			b := newBrowser(t, w.mux)
			target := b.start("/search?" + strings.Repeat("id=7&", n))
			w.fake.Inject(oauthtest.Match{Path: xapi.PathMe}, oauthtest.Fault{Status: 503}, -1)
			a := b.get(w.consent(target))
			wantStatus(t, "a login that cannot finish", a, http.StatusServiceUnavailable)
			if size := headerSize(a); size > 3900 {
				t.Errorf("a page link of %d bytes: %d bytes of headers, want less than 4 KiB", 5*n, size)
			}
			_, rest, _ := strings.Cut(a.body, `<a href="`)
			again, _, _ := strings.Cut(rest, `"`)
			w.fake.ClearFaults()
			if a = b.get(html.UnescapeString(again)); a.StatusCode != http.StatusSeeOther || strings.HasPrefix(a.location(), "https://") {
				t.Errorf("a page link of %d bytes: try again = %d to %.60q, want the end of the same login", 5*n, a.StatusCode, a.location())
			}
		})
	}
}

// TestM6_RawCharactersInAPageLink: browsers send them as they are.
func TestM6_RawCharactersInAPageLink(t *testing.T) {
	for raw, want := range map[string]string{
		`/private/logs?q=\d+`:              `/private/logs?q=%5Cd+`,
		`/private/logs?q=\\x\\`:            `/private/logs?q=%5C%5Cx%5C%5C`,
		"/private/logs?q=\xc3\xa9":         `/private/logs?q=%C3%A9`,
		`/private/logs?q={a|b}^c[1]` + "`": `/private/logs?q={a|b}^c[1]` + "`",
		`/private/logs?q='"<>`:             `/private/logs?q='"<>`,
		`/private\logs?q=1`:                "",
	} {
		w := newWorld(t, setup{})
		w.mux.Handle("/", w.login.Require(say("page")))
		b := newBrowser(t, w.mux)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/private/logs", nil)
		r.RequestURI = raw
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		rec := httptest.NewRecorder()
		w.mux.ServeHTTP(rec, r)
		start := rec.Header().Get("Location")
		if want == "" {
			if start != "/authorize" {
				t.Errorf("page %q leads to %q, want no way back", raw, start)
			}
			continue
		}
		if a := b.get(w.consent(b.get(start).location())); a.location() != want {
			t.Errorf("login for %q ended at %d %q, want %q", raw, a.StatusCode, a.location(), want)
		}
	}
}

// TestM2_TabsThatBeginAtOnce: each asks before it sees the cookie of another
// one. Servers and proxies take 8 KiB of cookies.
func TestM2_TabsThatBeginAtOnce(t *testing.T) {
	for name, page := range map[string]func(tab int) string{
		"short pages":        func(tab int) string { return fmt.Sprintf("/tab/%d", tab) },
		"longer pages":       func(tab int) string { return fmt.Sprintf("/search/%d?q=%s", tab, strings.Repeat("a", 150)) },
		"long pages":         func(tab int) string { return fmt.Sprintf("/search/%d?q=%s", tab, strings.Repeat("a", 1400)) },
		"pages of all kinds": func(tab int) string { return fmt.Sprintf("/search/%d?q=%s", tab, strings.Repeat("a", tab*37)) },
	} {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		var answers []answer
		for tab := range 40 {
			answers = append(answers, newBrowser(t, w.mux).get("/authorize?return_to="+page(tab)))
		}
		for _, a := range answers {
			b.keep(a)
		}
		if n := b.cookieBytes(); n > 7000 {
			t.Errorf("%s: %d bytes of cookies, want at most 7,000", name, n)
		}
		last := answers[len(answers)-1]
		if a := b.get(w.consent(last.location())); a.location() != page(39) {
			t.Errorf("%s: the last tab ended at %d %q", name, a.StatusCode, a.location())
		}
	}
}

// keep stores the cookies of an answer.
func (b *browser) keep(a answer) { b.jar.SetCookies(b.url(), a.Cookies()) }

// cookieBytes is the size of the Cookie header of the browser.
func (b *browser) cookieBytes() (n int) {
	for _, c := range b.jar.Cookies(b.url()) {
		n += len(c.Name) + len(c.Value) + len("=; ")
	}
	return n
}

// countingKeys counts what a key service would be asked for, and adds to each
// value as much as one may.
type countingKeys struct {
	seal.AEAD
	opened, sealed atomic.Int64
	extra          int
}

func (k *countingKeys) Open(ctx context.Context, sealed, associated []byte) ([]byte, error) {
	k.opened.Add(1)
	if len(sealed) < k.extra {
		return nil, seal.ErrTampered
	}
	return k.AEAD.Open(ctx, sealed[k.extra:], associated)
}

func (k *countingKeys) Seal(ctx context.Context, plain, associated []byte) ([]byte, error) {
	k.sealed.Add(1)
	box, err := k.AEAD.Seal(ctx, plain, associated)
	return append(make([]byte, k.extra), box...), err
}

// TestM2_PlantedFlowCookies: one request costs the same however many there are.
func TestM2_PlantedFlowCookies(t *testing.T) {
	keys := &countingKeys{AEAD: newKeys(t)}
	w := newWorld(t, setup{keys: keys})
	name := newBrowser(t, w.mux).get("/authorize").Cookies()[0].Name
	prefix := name[:strings.LastIndex(name, "-")+1]
	var planted []string
	for i := range 2900 {
		planted = append(planted, fmt.Sprintf("%s%d=%s", prefix, i, strings.Repeat("A", 80)))
	}
	keys.opened.Store(0)
	keys.sealed.Store(0)
	a := newBrowser(t, w.mux).get("/authorize", "Cookie", strings.Join(planted, "; "))
	wantStatus(t, "authorize with planted cookies", a, http.StatusSeeOther)
	if o, s, n := keys.opened.Load(), keys.sealed.Load(), len(a.Header["Set-Cookie"]); o > 1 || s > 2 || n > 1 {
		t.Errorf("authorize with 2,900 planted cookies: %d opened, %d sealed, %d cookies set, want at most 1, 2 and 1", o, s, n)
	}
	keys.opened.Store(0)
	a = newBrowser(t, w.mux).get("/callback?code=c&state="+strings.Repeat("s", 43), "Cookie", strings.Join(planted, "; "))
	wantStatus(t, "callback with planted cookies", a, http.StatusBadRequest)
	if o, n := keys.opened.Load(), len(a.Header["Set-Cookie"]); o > 1 || n > 1 {
		t.Errorf("callback with 2,900 planted cookies: %d opened, %d cookies set, want at most 1 and 1", o, n)
	}
}

// TestM2_KeysThatAddMuch: a key service adds a few hundred bytes to each value.
func TestM2_KeysThatAddMuch(t *testing.T) {
	w := newWorld(t, setup{keys: &countingKeys{AEAD: newKeys(t), extra: 300}})
	b := newBrowser(t, w.mux)
	first, second := b.start("/first"), b.start("/second")
	for want, target := range map[string]string{"/first": first, "/second": second} {
		if a := b.get(w.consent(target)); a.location() != want {
			t.Errorf("the login for %s ended at %d %q", want, a.StatusCode, a.location())
		}
	}
	for tab := range 100 {
		for _, length := range []int{50, 180, 1000} {
			b.keep(newBrowser(t, w.mux).get(fmt.Sprintf("/authorize?return_to=/%d/%s", tab, strings.Repeat("a", length))))
		}
	}
	if n := b.cookieBytes(); n > 7000 {
		t.Errorf("%d bytes of cookies, want at most 7,000", n)
	}
}
