package main_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage/seal"
)

// TestSealAStoreWithConnections: an app with users of its own finds their
// connections after its store was sealed.
func TestSealAStoreWithConnections(t *testing.T) {
	a := newApp(t)
	ring, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	on := func(keys ...string) (*connect.Accounts, *http.ServeMux) {
		accounts, err := connect.New(func(*http.Request) (string, error) { return "17", nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, err := accounts.Add(a.grants(keys...), ring, nil)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		x.Mount(mux)
		return accounts, mux
	}
	_, mux := on()
	began := httptest.NewRecorder()
	form := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/connect", nil)
	form.Header.Set("Sec-Fetch-Site", "same-origin")
	mux.ServeHTTP(began, form)
	back, err := a.fake.Authorize(t.Context(), "", began.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRequestWithContext(t.Context(), http.MethodGet, at.RequestURI(), nil)
	for _, c := range began.Result().Cookies() {
		answer.AddCookie(c)
	}
	mux.ServeHTTP(httptest.NewRecorder(), answer)

	key := a.newKey()
	a.setKeys(key)
	ctl(t, "", "seal", a.url).want(t, 0, "cannot be opened: 0\n")
	ctl(t, "", "list", "-all", a.url).want(t, 0, "connections: 1; connection: 1")
	accounts, _ := on(key)
	list, err := accounts.Connections(t.Context(), "17")
	if err != nil || len(list) != 1 || list[0].Dead != "" {
		t.Errorf("Connections(17) of the sealed store = %+v, %v, want one that can be used", list, err)
	}
}
