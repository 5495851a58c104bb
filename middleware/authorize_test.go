package middleware_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
)

// TestM2_AuthorizeIsOpened: a login cannot be started behind the user's back
// (R016).
func TestM2_AuthorizeIsOpened(t *testing.T) {
	tests := []struct {
		method  string
		headers []string
		want    int
	}{
		{"GET", nil, 303},
		{"POST", nil, 303},
		{"GET", []string{"Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Sec-Fetch-Site", ""}, 303},
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 303}, // a link on another site, opened by the user
		{"GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"}, 303},
		{"GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"}, 403},
		{"GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-site"}, 403},
		{"GET", []string{"Sec-Fetch-Dest", "image"}, 403},
		{"GET", []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"}, 403},
		{"GET", []string{"Sec-Purpose", "prefetch"}, 403},
		{"HEAD", nil, 405},
		{"PUT", nil, 405},
	}
	for _, tt := range tests {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		wantStatus(t, tt.method+" "+strings.Join(tt.headers, " "), b.do(tt.method, "/authorize", tt.headers...), tt.want)
		if started := len(b.cookies("flow")) == 1; started != (tt.want == 303) {
			t.Errorf("%s %v: flow started: %v", tt.method, tt.headers, started)
		}
	}
}

func TestM2_Params(t *testing.T) {
	params := url.Values{"audience": {"https://api.one.example", "https://api.two.example"}}
	w := newWorld(t, setup{options: middleware.Options{Params: params}})
	params["audience"][0] = "changed later"
	u, err := url.Parse(newBrowser(t, w.mux).start(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query()["audience"]; len(got) != 2 || got[0] != "https://api.one.example" {
		t.Errorf("audience = %q, want the two that were configured", got)
	}
}
