package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// moving is a server whose token endpoint answers at one address.
type moving struct {
	at     string
	status int // elsewhere; zero means that there is no connection
	asked  []string
}

func (m *moving) RoundTrip(r *http.Request) (*http.Response, error) {
	m.asked = append(m.asked, r.URL.String())
	status, body := http.StatusOK, `{"access_token":"t","token_type":"Bearer"}`
	if r.URL.String() != m.at {
		status, body = m.status, "not here"
	}
	if status == 0 {
		return nil, errors.New("no connection")
	}
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// facts are those of a server whose token endpoint is at a place.
func facts(issuer, token string) *provider.Provider {
	return &provider.Provider{Name: "as", Issuer: issuer, AuthorizationURL: token + "/authorize", TokenURL: token}
}

const (
	oldToken = "https://as.example/token"
	newToken = "https://new.example/token"
)

func movingClient(t *testing.T, m *moving, reread func(context.Context) (*provider.Provider, error)) *oauth.Client {
	t.Helper()
	c, err := oauth.New(facts("https://as.example", oldToken), oauth.Registration{ClientID: "c", RedirectURL: "https://app.example/cb"},
		&oauth.Options{HTTPClient: &http.Client{Transport: m}, Reread: reread})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The request after the failure goes to the new endpoint, and so does the next
// login of a user.
func TestEndpointThatHasMoved(t *testing.T) {
	for name, status := range map[string]int{"no connection": 0, "404": 404, "410": 410, "405": 405, "308": 308, "302": 302, "421": 421} {
		synctest.Test(t, func(t *testing.T) {
			m, calls := &moving{at: newToken, status: status}, 0
			c := movingClient(t, m, func(context.Context) (*provider.Provider, error) {
				calls++
				return facts("https://as.example", newToken), nil
			})
			if _, err := c.Refresh(t.Context(), "r"); err == nil {
				t.Fatalf("%s: Refresh() at the old endpoint = nil, want an error", name)
			}
			for range 3 {
				if _, err := c.Refresh(t.Context(), "r"); err != nil {
					t.Errorf("%s: Refresh() = %v, want success at the new endpoint", name, err)
				}
			}
			if calls != 1 || len(m.asked) != 4 || m.asked[1] != newToken {
				t.Errorf("%s: the facts were read %d times, requests to %q", name, calls, m.asked)
			}
			at, err := c.Authorize(t.Context(), strings.Repeat("s", 43), strings.Repeat("v", 43), url.Values{})
			if err != nil || !strings.HasPrefix(at, newToken+"/authorize?") {
				t.Errorf("%s: Authorize() = %q, %v, want the new endpoint", name, at, err)
			}
		})
	}
}

// Other failures do not mean that the endpoint has moved.
func TestFailuresOfAnEndpointThatHasNotMoved(t *testing.T) {
	for name, status := range map[string]int{"400": 400, "401": 401, "403": 403, "429": 429, "500": 500, "503": 503} {
		m, calls := &moving{at: newToken, status: status}, 0
		c := movingClient(t, m, func(context.Context) (*provider.Provider, error) {
			calls++
			return facts("https://as.example", newToken), nil
		})
		for range 3 {
			_, _ = c.Refresh(t.Context(), "r")
		}
		if calls != 0 {
			t.Errorf("%s: the facts were read %d times, want never", name, calls)
		}
	}
}

// What cannot be read or is about another server changes nothing, and is asked
// for once a minute at most.
func TestRereadThatDoesNotHelp(t *testing.T) {
	for name, answer := range map[string]func() (*provider.Provider, error){
		"an error":       func() (*provider.Provider, error) { return nil, errors.New("down") },
		"nothing":        func() (*provider.Provider, error) { return nil, nil },
		"another issuer": func() (*provider.Provider, error) { return facts("https://evil.example", newToken), nil },
		"an http endpoint": func() (*provider.Provider, error) {
			return facts("https://as.example", "http://new.example/token"), nil
		},
		"an http endpoint that the new facts allow": func() (*provider.Provider, error) {
			p := facts("https://as.example", "http://new.example/token")
			p.InsecureHTTP = true
			return p, nil
		},
		"an http endpoint on loopback": func() (*provider.Provider, error) {
			p := facts("https://as.example", "http://127.0.0.1/token")
			p.InsecureLoopback = true
			return p, nil
		},
		"the same": func() (*provider.Provider, error) { return facts("https://as.example", oldToken), nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			m, calls := &moving{at: newToken, status: 404}, 0
			c := movingClient(t, m, func(context.Context) (*provider.Provider, error) { calls++; return answer() })
			for range 100 {
				if _, err := c.Refresh(t.Context(), "r"); err == nil {
					t.Errorf("%s: Refresh() = nil, want an error", name)
				}
				time.Sleep(6 * time.Second) // ten minutes in all
			}
			if calls < 5 || calls > 10 {
				t.Errorf("%s: the facts were read %d times in ten minutes, want about 10", name, calls)
			}
			for _, at := range m.asked {
				if at != oldToken {
					t.Errorf("%s: a request to %s", name, at)
				}
			}
		})
	}
}
