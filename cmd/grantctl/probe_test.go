package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/servers"
)

// operator sits at the terminal: logs in at each page that probe prints and
// pastes the address, and otherwise types the next line.
type operator struct {
	t      *testing.T
	fake   *oauthtest.Server
	issuer string
	stderr bytes.Buffer
	lines  []string
	pages  int                 // that were visited
	back   func(string) string // changes the address before it is pasted
	opened func(context.Context, string) error
	page   func(string) string // changes the page before it is visited
	front  func(http.Handler) http.Handler
	begin  func() // before probe begins
	waits  func() // when probe waits
	ctx    context.Context
	at     time.Time // what the clocks of probe and of the fake say
}

var (
	authorizePage = regexp.MustCompile(`http://\S+\?\S+`)
	issuerOf      = regexp.MustCompile(`\biss=[^&]*`)
)

func (o *operator) Read(p []byte) (int, error) {
	line := ""
	switch pages := authorizePage.FindAllString(o.stderr.String(), -1); {
	case len(pages) > o.pages:
		o.pages = len(pages)
		to, err := o.visited(o.t.Context(), pages[len(pages)-1])
		if err != nil {
			return 0, err
		}
		line = issuerOf.ReplaceAllString(to, "iss="+url.QueryEscape(o.issuer)) // the fake names that of its provider
		if o.back != nil {
			line = o.back(line)
		}
	case len(o.lines) > 0:
		line, o.lines = o.lines[0], o.lines[1:]
	default:
		return 0, io.EOF
	}
	return copy(p, line+"\n"), nil
}

// open logs in in the browser of this machine.
func (o *operator) open(ctx context.Context, page string) error {
	o.pages++
	if o.opened != nil {
		return o.opened(ctx, page)
	}
	to, err := o.visited(ctx, page)
	if err != nil {
		return err
	}
	go o.visit(to)
	return nil
}

// visited logs in at a page, and returns the address that the browser ends at.
func (o *operator) visited(ctx context.Context, page string) (string, error) {
	if o.page != nil {
		page = o.page(page)
	}
	return o.fake.Authorize(ctx, "", page)
}

func (o *operator) visit(page string) {
	resp, err := http.Get(page)
	if err != nil {
		o.t.Errorf("the browser meets %v", err)
		return
	}
	_ = resp.Body.Close()
}

func (o *operator) now() time.Time { return o.at }

func (o *operator) pause(ctx context.Context, d time.Duration) error {
	if o.waits != nil {
		o.waits()
	}
	o.at = o.at.Add(d)
	return context.Cause(ctx)
}

// probed is a run of probe against the fake.
type probed struct {
	result
	base string
	file string
}

const pastedAt, loopbackAt = "https://app.example/callback", "http://127.0.0.1/callback"

// probe runs grantctl against a fake on a listener.
func probe(t *testing.T, o *oauthtest.Options, like func(*oauthtest.Knobs), by *operator, flags ...string) probed {
	t.Helper()
	app := oauthtest.App{ClientID: "the probe", RedirectURLs: []string{pastedAt, loopbackAt}}.WithSecret("a+b/c%d&e")
	listener := httptest.NewUnstartedServer(nil)
	base := "http://" + listener.Listener.Addr().String()
	by.at = time.Now()
	o.Apps, o.Clock = []oauthtest.App{app}, by.now
	if o.Provider != nil {
		o.Provider.AuthorizationURL, o.Provider.TokenURL = base+"/authorize", base+"/token"
		o.Provider.RevocationURL, o.Provider.Issuer, o.Provider.InsecureLoopback = base+"/revoke", base, true
	}
	fake := oauthtest.New(t, o)
	fake.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = true })
	if like != nil {
		fake.Set(like)
	}
	listener.Config.Handler = fake
	if by.front != nil {
		listener.Config.Handler = by.front(fake)
	}
	listener.Start()
	t.Cleanup(listener.Close)
	by.t, by.fake, by.issuer = t, fake, base
	t.Setenv("AUTHTRIP_CLIENT_SECRET", app.Secret())
	if by.begin != nil {
		by.begin()
	}
	if by.ctx == nil {
		by.ctx = t.Context()
	}
	at := fake.Provider(base)
	file := filepath.Join(t.TempDir(), "probed.json")
	var stdout bytes.Buffer
	code := grantctl.RunWith(by.ctx, append([]string{
		"probe", "-o", "json", "-client", app.ClientID, "-redirect", pastedAt, "-file", file,
		"-authorization-endpoint", at.AuthorizationURL, "-token-endpoint", at.TokenURL, "-revocation-endpoint", at.RevocationURL, "-api", base + "/me", base,
	}, flags...), by, &stdout, &by.stderr, by.open, by.now, by.pause)
	r := probed{result{code, stdout.String(), by.stderr.String()}, base, file}
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
			r := probe(t, &oauthtest.Options{}, servers.Known()[tt.server], &operator{}, "-yes", "-grace", "0")
			r.want(t, 0)
			if got := r.facts(t, asked...); got != tt.want {
				t.Errorf("probe of %q = %s, want %s", tt.server, got, tt.want)
			}
			p := r.provider(t)
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
		r := probe(t, &oauthtest.Options{}, servers.Known()[server], &operator{}, "-yes", "-grace", "0")
		if got := r.facts(t, "auth_basic", "auth_basic_raw"); got != want {
			t.Errorf("probe of %q = %s, want %s", server, got, want)
		}
	}
}

func TestProbeFindsPKCE(t *testing.T) {
	for required, want := range map[bool]string{
		true:  "pkce_required=true pkce_verifier_compared=true",
		false: "pkce_required=null pkce_verifier_compared=true",
	} {
		r := probe(t, &oauthtest.Options{RequirePKCE: required}, nil, &operator{}, "-yes", "-grace", "0")
		if got := r.facts(t, "pkce_required", "pkce_verifier_compared"); got != want {
			t.Errorf("probe with RequirePKCE %t = %s, want %s", required, got, want)
		}
	}
}

// Without a yes, no refresh token is redeemed twice, and none is revoked.
func TestProbeAsksBeforeItEndsTheGrant(t *testing.T) {
	b := &operator{lines: []string{"no", "no", "no"}}
	r := probe(t, &oauthtest.Options{}, nil, b)
	r.want(t, 0, "Redeem a refresh token twice, and if that is answered, up to 5 more times within 1m0s?", "Revoke the refresh token?", "Log in once more")
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
			probe(t, &oauthtest.Options{}, nil, &operator{back: tt.back}, "-yes").want(t, 1, tt.want)
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
		{"no client", []string{"probe", "https://as.example"}, "-client is needed"},
		{"http issuer", append(slices.Clone(ok), "http://canary.example"), "ISSUER must be https"},
		{"http token endpoint", append(slices.Clone(ok), "-token-endpoint", "http://canary.example", "https://as.example"), "-token-endpoint must be https"},
		{"no URL", append(slices.Clone(ok), "canary"), "ISSUER is no URL"},
		{"another format", append(slices.Clone(ok), "-o", "canary", "https://as.example"), "-o is text or json"},
	}
	for _, tt := range tests {
		if r := ctl(t, "", tt.args...).want(t, 2, tt.want); strings.Contains(r.stderr, "canary") {
			t.Errorf("%s: stderr %q repeats the command line", tt.name, r.stderr)
		}
	}
}
