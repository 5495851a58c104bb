package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/servers"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// browser is an operator who logs in at the page that probe has printed, and
// then types what is in rest.
type browser struct {
	t      *testing.T
	fake   *oauthtest.Server
	issuer string
	stderr bytes.Buffer
	rest   string
	back   func(string) string // changes the address before it is pasted
	text   io.Reader
}

var (
	authorizePage = regexp.MustCompile(`http://\S+\?\S+`)
	issuerOf      = regexp.MustCompile(`\biss=[^&]*`)
)

func (b *browser) Read(p []byte) (int, error) {
	if b.text == nil {
		to, err := b.fake.Authorize(b.t.Context(), "", authorizePage.FindString(b.stderr.String()))
		if err != nil {
			return 0, err
		}
		to = issuerOf.ReplaceAllString(to, "iss="+url.QueryEscape(b.issuer)) // the fake names that of its provider
		if b.back != nil {
			to = b.back(to)
		}
		b.text = strings.NewReader(to + "\n" + b.rest)
	}
	return b.text.Read(p)
}

// probed is a run of probe against the fake.
type probed struct {
	result
	base string
	file string
}

// probe runs grantctl against a fake on a listener.
func probe(t *testing.T, o *oauthtest.Options, like func(*oauthtest.Knobs), b *browser, flags ...string) probed {
	t.Helper()
	app := oauthtest.App{ClientID: "the probe", RedirectURLs: []string{"https://app.example/callback"}}.WithSecret("a+b/c%d&e")
	o.Apps = []oauthtest.App{app}
	fake := oauthtest.New(t, o)
	if like != nil {
		fake.Set(like)
	}
	listener := httptest.NewServer(fake)
	t.Cleanup(listener.Close)
	b.t, b.fake, b.issuer = t, fake, listener.URL
	t.Setenv("AUTHTRIP_CLIENT_SECRET", app.Secret())
	at := fake.Provider(listener.URL)
	file := filepath.Join(t.TempDir(), "probed.json")
	var stdout bytes.Buffer
	code := grantctl.Run(t.Context(), append([]string{
		"probe", "-o", "json", "-client", app.ClientID, "-redirect", app.RedirectURLs[0], "-file", file,
		"-authorize", at.AuthorizationURL, "-token", at.TokenURL, "-revoke", at.RevocationURL, "-api", listener.URL + "/me", listener.URL,
	}, flags...), b, &stdout, &b.stderr)
	r := probed{result{code, stdout.String(), b.stderr.String()}, listener.URL, file}
	written, _ := os.ReadFile(file) // an early end writes none
	for _, secret := range []string{app.Secret(), "code=", "access_token\"", "\"refresh_token\""} {
		if strings.Contains(r.stdout+r.stderr+string(written), secret) {
			t.Errorf("probe printed %q", secret)
		}
	}
	return r
}

// facts returns the findings that are asked for, as JSON.
func (r probed) facts(t *testing.T, names ...string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
		t.Fatalf("probe printed %q, %q: %v", r.stdout, r.stderr, err)
	}
	var text []string
	for _, name := range names {
		text = append(text, name+"="+string(all[name]))
	}
	return strings.Join(text, " ")
}

var asked = []string{"rotates", "reuse_answered_at_once", "reuse_ends_grant", "refresh_ends_access", "bad_token_status", "revocation_ends_grant"}

func TestProbeFindsWhatTheServerIsLike(t *testing.T) {
	tests := []struct{ server, want string }{
		{"", "rotates=true reuse_answered_at_once=false reuse_ends_grant=true refresh_ends_access=false bad_token_status=401 revocation_ends_grant=null"},
		{"zitadel", "rotates=true reuse_answered_at_once=false reuse_ends_grant=false refresh_ends_access=true bad_token_status=403 revocation_ends_grant=true"},
		{"hydra", "rotates=true reuse_answered_at_once=true reuse_ends_grant=null refresh_ends_access=true bad_token_status=401 revocation_ends_grant=true"},
		{"go-oauth2", "rotates=true reuse_answered_at_once=false reuse_ends_grant=false refresh_ends_access=true bad_token_status=401 revocation_ends_grant=true"},
		{"oauth2-mock-server", "rotates=false reuse_answered_at_once=null reuse_ends_grant=null refresh_ends_access=false bad_token_status=401 revocation_ends_grant=true"},
	}
	for _, tt := range tests {
		t.Run(tt.server, func(t *testing.T) {
			r := probe(t, &oauthtest.Options{}, servers.Known()[tt.server], &browser{}, "-yes")
			r.want(t, 0)
			if got := r.facts(t, asked...); got != tt.want {
				t.Errorf("probe of %q = %s, want %s", tt.server, got, tt.want)
			}
			text, err := os.ReadFile(r.file)
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.ReplaceAll(text, []byte(r.base), []byte("https://as.example")) // Load takes no http
			c, err := provider.Load(fstest.MapFS{"probed.json": {Data: text}})
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.Get("probed", nil)
			if err != nil {
				t.Fatal(err)
			}
			spares := strings.Contains(tt.want, "reuse_ends_grant=false")
			if got := p.RefreshTokens.ReuseSparesGrant; got != spares {
				t.Errorf("the file's ReuseSparesGrant = %t, want %t", got, spares)
			}
			if got := slices.Contains(p.API.RejectedStatuses, 403); got != strings.Contains(tt.want, "=403") {
				t.Errorf("the file's RejectedStatuses = %v, want what was found", p.API.RejectedStatuses)
			}
		})
	}
}

func TestProbeFindsTheFormOfBasic(t *testing.T) {
	for server, want := range map[string]string{"": "auth_basic=true auth_basic_raw=false", "node-oauth2-server": "auth_basic=false auth_basic_raw=true"} {
		r := probe(t, &oauthtest.Options{}, servers.Known()[server], &browser{}, "-yes")
		if got := r.facts(t, "auth_basic", "auth_basic_raw"); got != want {
			t.Errorf("probe of %q = %s, want %s", server, got, want)
		}
	}
}

func TestProbeFindsPKCE(t *testing.T) {
	for required, want := range map[bool]string{true: "pkce_required=true", false: "pkce_required=null"} {
		r := probe(t, &oauthtest.Options{RequirePKCE: required}, nil, &browser{}, "-yes")
		if got := r.facts(t, "pkce_required"); got != want {
			t.Errorf("probe with RequirePKCE %t = %s, want %s", required, got, want)
		}
	}
}

// Without a yes, no refresh token is redeemed twice, and none is revoked.
func TestProbeAsksBeforeItEndsTheGrant(t *testing.T) {
	b := &browser{rest: "no\nno\n"}
	r := probe(t, &oauthtest.Options{}, nil, b)
	r.want(t, 0, "Redeem a refresh token twice?", "Revoke the refresh token?")
	if got, want := r.facts(t, "rotates", "reuse_answered_at_once", "revocation_status"), "rotates=true reuse_answered_at_once=null revocation_status=null"; got != want {
		t.Errorf("probe without a yes = %s, want %s", got, want)
	}
	if g := b.fake.Grants(); len(g) != 1 || g[0].Ended != "" {
		t.Errorf("the grants are %v, want one that is alive", g)
	}
}

func TestProbeRefusesAnAddress(t *testing.T) {
	tests := []struct {
		name string
		back func(string) string
		want string
	}{
		{"of another state", func(s string) string { return strings.Replace(s, "state=", "state=x", 1) }, "the state differs"},
		{"of another issuer", func(s string) string { return issuerOf.ReplaceAllString(s, "iss=https%3A%2F%2Fother.example") }, "another issuer"},
		{"without a code", func(s string) string { return strings.Replace(s, "code=", "none=", 1) }, "sent no code"},
		{"that is empty", func(string) string { return "" }, "no address of a login"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			probe(t, &oauthtest.Options{}, nil, &browser{back: tt.back}, "-yes").want(t, 1, tt.want)
		})
	}
}

func TestProbeUsage(t *testing.T) {
	ok := []string{"probe", "-client", "a", "-redirect", "https://app.example"}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no client", []string{"probe", "https://as.example"}, "-client and -redirect are needed"},
		{"http issuer", append(slices.Clone(ok), "http://canary.example"), "ISSUER must be https"},
		{"http token endpoint", append(slices.Clone(ok), "-token", "http://canary.example", "https://as.example"), "-token must be https"},
		{"no URL", append(slices.Clone(ok), "canary"), "ISSUER is no URL"},
		{"another format", append(slices.Clone(ok), "-o", "canary", "https://as.example"), "-o is text or json"},
	}
	for _, tt := range tests {
		if r := ctl(t, "", tt.args...).want(t, 2, tt.want); strings.Contains(r.stderr, "canary") {
			t.Errorf("%s: stderr %q repeats the command line", tt.name, r.stderr)
		}
	}
}
