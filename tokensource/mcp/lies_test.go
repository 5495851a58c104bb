package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// web is what stands at URLs, as JSON. Others do not exist.
type web map[string]string

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := w[r.URL.String()]
	switch {
	case !ok:
		return httpAnswer(http.StatusNotFound, strings.NewReader("")), nil
	case text == "down":
		return nil, errors.New("connection refused")
	case text == "slow":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case text == "huge":
		return httpAnswer(http.StatusOK, io.MultiReader(strings.NewReader(`{"x":"`), endless{})), nil
	case strings.HasPrefix(text, "to "):
		a := httpAnswer(http.StatusFound, strings.NewReader(""))
		a.Header.Set("Location", text[3:])
		return a, nil
	}
	return httpAnswer(http.StatusOK, strings.NewReader(text)), nil
}

// endless is a text without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func httpAnswer(status int, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(body)}
}

const (
	theServer   = "https://mcp.example/mcp"
	theMetadata = "https://mcp.example/.well-known/oauth-protected-resource/mcp"
)

// at returns where the metadata of an issuer are, and what they are.
func (w web) at(host string) web {
	w["https://"+host+"/.well-known/oauth-authorization-server"] = server(host)
	return w
}

func server(host string) string {
	return fmt.Sprintf(`{"issuer":"https://%[1]s","authorization_endpoint":"https://%[1]s/authorize","token_endpoint":"https://%[1]s/token",
		"registration_endpoint":"https://%[1]s/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}`, host)
}

func resource(name string, hosts ...string) string {
	return fmt.Sprintf(`{"resource":%q,"authorization_servers":["https://%s"]}`, name, strings.Join(hosts, `","https://`))
}

func TestWhatAServerSaysOfItself(t *testing.T) {
	const issuer = "https://as.example/.well-known/oauth-authorization-server"
	challenge := func(text string) http.Header { return http.Header{"Www-Authenticate": {text}} }
	named := func(place string) http.Header { return challenge(`Bearer resource_metadata="` + place + `"`) }
	for name, tt := range map[string]struct {
		web    web
		header http.Header
		want   error // nil means any
	}{
		"metadata of another resource": {web{theMetadata: resource("https://other.example/mcp", "as.example")}.at("as.example"), nil, discovery.ErrMismatch},
		"metadata of another path":     {web{theMetadata: resource("https://mcp.example/mcp2", "as.example")}.at("as.example"), nil, discovery.ErrMismatch},
		"metadata of a path below":     {web{theMetadata: resource("https://mcp.example/mcp/x", "as.example")}.at("as.example"), nil, discovery.ErrMismatch},
		"metadata elsewhere that are those of another resource": {
			web{"https://evil.example/m": resource("https://evil.example/mcp", "as.example")}.at("as.example"), named("https://evil.example/m"), discovery.ErrMismatch,
		},
		"no authorization server":            {web{theMetadata: `{"resource":"https://mcp.example/mcp","authorization_servers":[]}`}, nil, mcp.ErrNoServer},
		"only one that is not allowed":       {web{theMetadata: resource(theServer, "forbidden.example")}.at("forbidden.example"), nil, mcp.ErrNoServer},
		"metadata with http":                 {web{theMetadata: resource(theServer, "as.example")}, named("http://mcp.example/m"), discovery.ErrInvalid},
		"an authorization server with http":  {web{theMetadata: `{"resource":"https://mcp.example/mcp","authorization_servers":["http://as.example"]}`}, nil, discovery.ErrInvalid},
		"an endpoint with http":              {web{theMetadata: resource(theServer, "as.example"), issuer: strings.Replace(server("as.example"), "https://as.example/token", "http://as.example/token", 1)}, nil, discovery.ErrInvalid},
		"metadata of another issuer":         {web{theMetadata: resource(theServer, "as.example"), issuer: server("other.example")}, nil, discovery.ErrMismatch},
		"an issuer with one more slash":      {web{theMetadata: resource(theServer, "as.example"), issuer: strings.Replace(server("as.example"), "https://as.example\"", "https://as.example/\"", 1)}, nil, discovery.ErrMismatch},
		"no PKCE":                            {web{theMetadata: resource(theServer, "as.example"), issuer: strings.Replace(server("as.example"), `["S256"]`, `[]`, 1)}, nil, nil},
		"PKCE without a hash only":           {web{theMetadata: resource(theServer, "as.example"), issuer: strings.Replace(server("as.example"), `["S256"]`, `["plain"]`, 1)}, nil, nil},
		"a silence about PKCE":               {web{theMetadata: resource(theServer, "as.example"), issuer: strings.Replace(server("as.example"), `code_challenge_methods_supported`, `x`, 1)}, nil, nil},
		"metadata without an end":            {web{theMetadata: "huge"}, nil, discovery.ErrInvalid},
		"metadata of the server without end": {web{theMetadata: resource(theServer, "as.example"), issuer: "huge"}, nil, discovery.ErrInvalid},
		"metadata that do not come":          {web{theMetadata: "slow"}, nil, tokensource.ErrTemporary},
		"metadata that lead elsewhere":       {web{theMetadata: "to https://evil.example/m", "https://mcp.example/.well-known/oauth-protected-resource": "to https://evil.example/m", "https://evil.example/m": resource(theServer, "as.example")}, nil, mcp.ErrNoServer},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				resp := &http.Response{StatusCode: http.StatusUnauthorized, Header: tt.header}
				f, err := mcp.Find(t.Context(), theServer, resp, &mcp.Options{
					Transport: tt.web, Allow: func(issuer string) bool { return issuer == "https://as.example" || issuer == "https://other.example" },
				})
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("Find() = %+v, %v, want %v", f, err, tt.want)
				}
				if waited := time.Since(begun); waited > 30*time.Second {
					t.Errorf("Find() took %v", waited)
				}
			})
		})
	}
}

func TestAnMCPServerThatNamesAddressesOfThisNetwork(t *testing.T) {
	private := []string{"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fd00::1]"}
	for _, host := range private {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="https://`+host+`/m"`)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		resp, err := http.Get(s.URL)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if _, err := mcp.Find(ctx, theServer, resp, nil); !errors.Is(err, discovery.ErrAddress) {
			t.Errorf("Find() with metadata at %s = %v, want ErrAddress", host, err)
		}
		cancel()
	}
}

func TestTwoAuthorizationServers(t *testing.T) {
	both := resource(theServer, "a.example", "b.example")
	for name, tt := range map[string]struct {
		web     web
		clients map[string]oauth.Registration
		want    string
	}{
		"both good":                         {web{theMetadata: both}.at("a.example").at("b.example"), nil, "https://a.example"},
		"the first one does not exist":      {web{theMetadata: both}.at("b.example"), nil, "https://b.example"},
		"the first one is down":             {web{theMetadata: both, "https://a.example/.well-known/oauth-authorization-server": "down"}.at("b.example"), nil, "https://b.example"},
		"the first one lies":                {web{theMetadata: both, "https://a.example/.well-known/oauth-authorization-server": server("b.example")}.at("b.example"), nil, "https://b.example"},
		"the second one knows the program":  {web{theMetadata: both}.at("a.example").at("b.example"), map[string]oauth.Registration{"https://b.example": {ClientID: "x"}}, "https://b.example"},
		"both bad":                          {web{theMetadata: both}, nil, ""},
		"a thousand, and the last is good":  {web{theMetadata: resource(theServer, append(thousand(), "b.example")...)}.at("b.example"), nil, ""},
		"a thousand, and the first is good": {web{theMetadata: resource(theServer, append([]string{"b.example"}, thousand()...)...)}.at("b.example"), nil, "https://b.example"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := mcp.Find(t.Context(), theServer, nil, &mcp.Options{Transport: tt.web, Clients: tt.clients})
			got := ""
			if err == nil {
				got = f.Provider.Issuer
			}
			if got != tt.want {
				t.Errorf("Find() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func thousand() (hosts []string) {
	for i := range 1000 {
		hosts = append(hosts, fmt.Sprintf("as-%d.example", i))
	}
	return hosts
}

func TestScopesThatAServerNames(t *testing.T) {
	many := strings.TrimSpace(strings.Repeat("s ", 3))
	for header, want := range map[string][]string{
		``:                               {"x"},
		`Bearer scope="a b"`:             {"a", "b"},
		`Bearer scope=""`:                {"x"},
		`Bearer scope="a a b"`:           {"a", "b"},
		"Bearer scope=\"a \x01 \xff b\"": {"a", "b"},
		`Basic scope="a"`:                {"x"},
		`Bearer scope="` + many + `"`:    {"s"},
	} {
		text := strings.Replace(resource(theServer, "as.example"), "{", `{"scopes_supported":["x","","no good"],`, 1)
		resp := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {header}}}
		f, err := mcp.Find(t.Context(), theServer, resp, &mcp.Options{Transport: web{theMetadata: text}.at("as.example")})
		if err != nil || !slices.Equal(f.Scopes, want) {
			t.Errorf("Find(%q) = %+v, %v, want the scopes %q", header, f, err, want)
		}
	}
}
