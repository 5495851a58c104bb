package registration_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/registration"
)

func TestHandler(t *testing.T) {
	m := registration.Metadata{RedirectURLs: []string{"https://app.example/callback"}}
	h, err := m.Handler("https://app.example/client.json")
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "https://app.example/client.json", nil))
		if w.Code != want {
			t.Errorf("%s = %d, want %d", method, w.Code, want)
		}
		if whole := strings.Contains(w.Body.String(), `"client_id":"https://app.example/client.json"`); whole != (method == http.MethodGet) {
			t.Errorf("%s: the body is %q", method, w.Body)
		}
	}
}

func TestHandlerRefuses(t *testing.T) {
	good := registration.Metadata{RedirectURLs: []string{"https://app.example/callback"}}
	large, empty := good, registration.Metadata{}
	large.Name = strings.Repeat("n", registration.MaxDocument)
	for name, tt := range map[string]struct {
		m  registration.Metadata
		id string
	}{
		"no client ID":             {good, ""},
		"a client ID without path": {good, "https://app.example"},
		"a document above 5 KiB":   {large, "https://app.example/client.json"},
		"no redirect URL":          {empty, "https://app.example/client.json"},
	} {
		if _, err := tt.m.Handler(tt.id); err == nil {
			t.Errorf("%s: Handler(%q) = nil error, want one", name, tt.id)
		}
	}
}
