package oauthtest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// plain is a provider of the plainest kind, changed.
func plain(change func(*provider.Provider)) *provider.Provider {
	p := &provider.Provider{
		Name: "plain", AuthorizationURL: "https://login.example/oauth/authorize?tenant=one", TokenURL: "https://login.example/oauth/token",
		RevocationURL: "https://login.example/oauth/revoke", APIOrigins: []string{"https://things.example"},
	}
	if change != nil {
		change(p)
	}
	return p
}

// with is a fake of such a provider, and its confidential app.
func with(t *testing.T, change func(*provider.Provider)) *peer {
	t.Helper()
	return play(t, &oauthtest.Options{Provider: plain(change)})
}

// TestPlaysAnyProvider goes through a whole life with each kind of client
// authentication, of confidential and public apps, in memory and on a listener.
func TestPlaysAnyProvider(t *testing.T) {
	odd := ci.WithSecret("s%cret+:/ü")
	odd.ClientID = "id with spaces"
	for name, p := range map[string]*provider.Provider{
		"default":   nil,
		"basic":     plain(nil),
		"basic raw": plain(func(p *provider.Provider) { p.ClientAuth = provider.BasicRaw }),
		"post":      plain(func(p *provider.Provider) { p.ClientAuth = provider.Post }),
		"x":         provider.X(),
	} {
		for _, app := range []oauthtest.App{ci, na, odd} {
			memory := play(t, &oauthtest.Options{Provider: p, Apps: []oauthtest.App{app}}).as(app)
			wholeLife(memory, name)
			if err := memory.Audit(); err != nil {
				t.Errorf("%s: Audit() = %v, want nil", name, err)
			}
			wholeLife(memory.onListener(), name+" on a listener")
		}
	}
}

func wholeLife(c *peer, name string) {
	c.Helper()
	first := c.login()
	if first.Refresh == "" || !c.works(first.Access) {
		c.Errorf("%s: the login gave no working tokens", name)
	}
	second := c.parse(c.refresh(first.Refresh))
	if second.Refresh == first.Refresh || !c.works(second.Access) {
		c.Errorf("%s: the refresh gave no new tokens", name)
	}
	if got := c.post(c.p.RevocationURL, "token", second.Refresh); got.status != http.StatusOK || c.works(second.Access) {
		c.Errorf("%s: revocation = %d, works %v, want 200 and a dead token", name, got.status, c.works(second.Access))
	}
	for _, g := range c.Grants() {
		if g.Ended == "" {
			c.Errorf("%s: %+v lives, want it revoked", name, g)
		}
	}
}

func TestClientAuthenticationIsTheProviders(t *testing.T) {
	for auth, name := range map[provider.ClientAuth]string{provider.Basic: "Basic", provider.Post: "Post"} {
		c := with(t, func(p *provider.Provider) { p.ClientAuth = auth })
		other := *c
		other.p = c.p.Clone()
		other.p.ClientAuth = provider.Post
		if auth == provider.Post {
			other.p.ClientAuth = provider.Basic
		}
		tok := c.issue()
		if got := other.refresh(tok.Refresh); got.status != http.StatusUnauthorized || got.code() != "invalid_client" {
			t.Errorf("a server of %s answers the other way with %d %s, want 401 invalid_client", name, got.status, got.body)
		}
		c.parse(c.refresh(tok.Refresh))
	}
}

func TestRawBasicIsNotDecoded(t *testing.T) {
	app := ci.WithSecret("a%2Fb")
	for auth, ok := range map[provider.ClientAuth]bool{provider.BasicRaw: true, provider.Basic: false} {
		c := play(t, &oauthtest.Options{
			Apps: []oauthtest.App{app}, Provider: plain(func(p *provider.Provider) { p.ClientAuth = auth }),
		}).as(app)
		c.p.ClientAuth = provider.BasicRaw // the client's way, whatever the server's is
		if got := c.refresh(c.issue().Refresh); (got.status == http.StatusOK) != ok {
			t.Errorf("a secret with a percent sign, sent raw to %v = %d, want ok %v", auth, got.status, ok)
		}
	}
}

func TestScopesAreTheProviders(t *testing.T) {
	c := with(t, func(p *provider.Provider) { p.Scopes, p.RefreshScope = []string{"read", "stay"}, "stay" })
	if got := c.callback("scope", "read write").Get("error"); got != "invalid_scope" {
		t.Errorf("an unknown scope = %q, want invalid_scope", got)
	}
	if got := c.callback("scope", "").Get("error"); got != "invalid_scope" {
		t.Errorf("no scope = %q, want invalid_scope", got)
	}
	for scope, stays := range map[string]bool{"read": false, "read stay": true} {
		if got := c.parse(c.exchange(c.callback("scope", scope).Get("code"))); (got.Refresh != "") != stays {
			t.Errorf("scope %q gave a refresh token: %v, want %v", scope, got.Refresh != "", stays)
		}
	}
	c = with(t, nil)
	if got := c.parse(c.exchange(c.callback("scope", "").Get("code"))); got.Refresh == "" || got.Scope != "" {
		t.Errorf("no scope at a server without scopes = %q, want a refresh token and no scope", got.Scope)
	}
}

func TestSingleGrantIsTheProviders(t *testing.T) {
	for _, single := range []bool{false, true} {
		for _, many := range []bool{false, true} {
			c := with(t, func(p *provider.Provider) { p.SingleGrant = single })
			c.Set(func(k *oauthtest.Knobs) { k.Token.ManyGrants = many })
			first, public := c.login(), c.as(na).login()
			c.login()
			if got, want := c.works(first.Access), !single || many; got != want || !c.works(public.Access) {
				t.Errorf("SingleGrant %v, ManyGrants %v: the first login works: %v, want %v, and another app's", single, many, got, want)
			}
		}
	}
}

func TestLifetimesAreTheProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for assumed, want := range map[time.Duration]int{0: 3600, 5 * time.Minute: 300} {
			c := with(t, func(p *provider.Provider) { p.ExpiresIn = assumed })
			tok := c.login()
			if tok.ExpiresIn != want {
				t.Errorf("ExpiresIn %v: expires_in = %d, want %d", assumed, tok.ExpiresIn, want)
			}
			c.Advance(time.Duration(want)*time.Second - 1)
			if !c.works(tok.Access) {
				t.Errorf("ExpiresIn %v: the token is dead just before its end", assumed)
			}
			c.Advance(1)
			if c.works(tok.Access) {
				t.Errorf("ExpiresIn %v: the token works at its end", assumed)
			}
		}
	})
}

func TestIssuerAndState(t *testing.T) {
	for _, tt := range []struct {
		name   string
		issuer string
		send   string
		want   string
	}{
		{"the provider's", "https://login.example", "", "https://login.example"},
		{"none", "", "", ""},
		{"another's", "https://login.example", "https://evil.example", "https://evil.example"},
		{"left out", "https://login.example", "-", ""},
	} {
		c := with(t, func(p *provider.Provider) { p.Issuer = tt.issuer })
		c.Set(func(k *oauthtest.Knobs) { k.Authorize.SendIss = tt.send })
		if got := c.callback().Get("iss"); got != tt.want {
			t.Errorf("%s: iss = %q, want %q", tt.name, got, tt.want)
		}
		c.Set(func(k *oauthtest.Knobs) { k.Authorize.Deny = true })
		if got := c.callback(); got.Get("iss") != tt.want || got.Get("error") != "access_denied" {
			t.Errorf("%s, denied: %v, want iss %q", tt.name, got, tt.want)
		}
	}
	c := with(t, func(p *provider.Provider) { p.MaxState = 10 })
	if got := c.callback("state", "01234567890"); got.Get("error") != "invalid_request" || got.Get("state") != "" {
		t.Errorf("a long state = %v, want invalid_request and no state", got)
	}
	if got := c.callback("state", "0123456789"); !got.Has("code") {
		t.Errorf("a state of ten characters = %v, want a code", got)
	}
	if got := c.callback("state", ""); !got.Has("code") || got.Has("state") {
		t.Errorf("no state = %v, want a code: RFC 6749 does not insist", got)
	}
}

func TestClientCredentials(t *testing.T) {
	own := "https://login.example/apps/token"
	for name, separate := range map[string]string{"at the token endpoint": "", "at an endpoint of their own": own} {
		c := with(t, func(p *provider.Provider) { p.ClientCredentialsURL = separate })
		target := c.p.TokenURL
		if separate != "" {
			target = separate
			if got := c.post(c.p.TokenURL, "grant_type", "client_credentials"); got.code() != "unsupported_grant_type" {
				t.Errorf("%s: the token endpoint answers %s, want unsupported_grant_type", name, got.body)
			}
		}
		tok := c.parse(c.post(target, "grant_type", "client_credentials", "scope", "a b"))
		if tok.Access == "" || tok.Refresh != "" || !c.works(tok.Access) {
			t.Errorf("%s: %+v, want a working access token alone", name, tok)
		}
		if got := c.Token(tok.Access); got.ClientID != ci.ClientID || got.Grant != 0 || !slices.Equal(got.Scopes, []string{"a", "b"}) {
			t.Errorf("%s: Token() = %+v, want the app's own", name, got)
		}
		if got := c.as(na).post(target, "grant_type", "client_credentials"); got.code() != "invalid_client" {
			t.Errorf("%s: a public app gets %s, want invalid_client", name, got.body)
		}
		c.post(c.p.RevocationURL, "token", tok.Access)
		if c.works(tok.Access) {
			t.Errorf("%s: a revoked token works", name)
		}
		if n := c.TokenCalls("client_credentials"); n == 0 {
			t.Errorf("%s: TokenCalls = 0", name)
		}
	}
}

func TestWhatTheProviderLacksIsNotThere(t *testing.T) {
	c := with(t, func(p *provider.Provider) { p.RevocationURL = "" })
	if got := c.post("https://login.example/oauth/revoke", "token", "x"); got.status != http.StatusNotFound {
		t.Errorf("a revocation endpoint that is not in the provider = %d, want 404", got.status)
	}
	for target, want := range map[string]int{
		"https://things.example/oauth/token": http.StatusUnauthorized, // the API, and not the token endpoint
		"https://login.example/things":       http.StatusNotFound,
		"https://elsewhere.example/things":   http.StatusOK, // a stranger
	} {
		if got := c.get(target, "").status; got != want {
			t.Errorf("GET %s = %d, want %d", target, got, want)
		}
	}
}

func TestNewServerRefusesProvidersThatCannotWork(t *testing.T) {
	for name, p := range map[string]*provider.Provider{
		"invalid":   {Name: "Bad Name"},
		"same path": plain(func(p *provider.Provider) { p.RevocationURL = "https://other.example/oauth/token" }),
	} {
		if _, err := oauthtest.NewServer(&oauthtest.Options{Provider: p}); err == nil || !strings.HasPrefix(err.Error(), "oauthtest: ") {
			t.Errorf("NewServer(%s) = %v, want an error", name, err)
		}
	}
}

func TestProviderAtABase(t *testing.T) {
	c := with(t, func(p *provider.Provider) {
		p.IdentityURL, p.ParseIdentity = "https://things.example/me", func([]byte) (provider.Identity, error) { return provider.Identity{}, nil }
	})
	p := c.Provider("http://127.0.0.1:99/")
	if err := p.Validate(); err != nil {
		t.Errorf("Provider(base).Validate() = %v, want nil", err)
	}
	for got, want := range map[string]string{
		p.AuthorizationURL: "http://127.0.0.1:99/oauth/authorize?tenant=one", p.TokenURL: "http://127.0.0.1:99/oauth/token",
		p.RevocationURL: "http://127.0.0.1:99/oauth/revoke", p.IdentityURL: "http://127.0.0.1:99/me",
		p.ClientCredentialsURL: "", strings.Join(p.APIOrigins, " "): "http://127.0.0.1:99",
	} {
		if got != want {
			t.Errorf("Provider(base) has %q, want %q", got, want)
		}
	}
}
