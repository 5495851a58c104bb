package clients_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// world is a user whose token the API of the test has ended a moment ago: each
// first call meets a 401.
type world struct {
	fake    *xapi.Server
	grants  *grant.Keeper
	subject string
	api     *httptest.Server
	options *transport.Options // send tokens to the API
	asked   atomic.Int32       // requests that reached the API
}

// newWorld starts an API that answers those with a good token by serve.
func newWorld(t *testing.T, serve http.HandlerFunc) *world {
	t.Helper()
	w := &world{fake: xapi.New(t, nil)}
	var err error
	if w.grants, w.subject, err = fakeuser.Authorize(t.Context(), w.fake); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeGrants(t, w.grants) })
	w.api = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		if !w.good(r.Header.Get("Authorization")) {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve(rw, r)
	}))
	t.Cleanup(w.api.Close)
	w.options = &transport.Options{Origins: []string{w.api.URL}, Base: w.api.Client().Transport}
	w.fake.ExpireAccess(w.subject)
	return w
}

// good reports whether a header carries an access token that is still good.
func (w *world) good(header string) bool {
	raw, ok := strings.CutPrefix(header, "Bearer ")
	tok := w.fake.Token(raw)
	return ok && tok.Kind == "access_token" && tok.Dead == ""
}

// source is the user's.
func (w *world) source() *grant.Source { return w.grants.Source(w.subject) }

// wantOneRefresh fails the test if the server has seen another number.
func (w *world) wantOneRefresh(t *testing.T) {
	t.Helper()
	if n := w.fake.TokenCalls("refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// withdraw ends the grant at the server before the first call, so that only a
// login helps.
func (w *world) withdraw(t *testing.T) {
	t.Helper()
	if err := w.fake.RevokeGrant(w.subject, oauthtest.ConfidentialApp().ClientID); err != nil {
		t.Fatal(err)
	}
	w.fake.ExpireAccess(w.subject)
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// get returns the body of an answer.
func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
