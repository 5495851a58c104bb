package readme_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestMyWebAppLogsItsUserIn(t *testing.T) {
	x, mux := xapi.New(t, nil), http.NewServeMux()
	client := newClient(t, x, oauthtest.ConfidentialApp())
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	login, err := middleware.New(grants, newKeys(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	login.Mount(mux)
	mux.Handle("GET /me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := login.Session(r)
		_, _ = fmt.Fprintln(w, "Hello,", session.User.Name)
	})))

	browser, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	visit := func(method, page string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), method, page, nil)
		r.Header.Set("Accept", "text/html")
		for _, cookie := range browser.Cookies(r.URL) {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r) // the mux of your app
		browser.SetCookies(r.URL, w.Result().Cookies())
		return w.Result()
	}
	begun := visit("GET", "https://app.example/authorize?return_to=/me")
	callback, err := x.Authorize(t.Context(), "2244994945", begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if to := visit("GET", callback).Header.Get("Location"); to != "/me" {
		t.Fatalf("the login ends at %q, want /me", to)
	}
	page := visit("GET", "https://app.example/me")
	body, err := io.ReadAll(page.Body)
	if err != nil || !strings.HasPrefix(string(body), "Hello,") {
		t.Errorf("/me = %d %s, %v, want a greeting", page.StatusCode, body, err)
	}
	visit("POST", "https://app.example/logout")
	if resp := visit("GET", "https://app.example/me"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("/me after a logout = %d, want a redirect to the login", resp.StatusCode)
	}
}
