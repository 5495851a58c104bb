package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// other returns the tokens that another program of a user keeps.
func (a *app) other(n int) (user, access, refresh string) {
	a.Helper()
	user = fmt.Sprint(9_000_000 + n)
	if err := a.fake.AddUser(oauthtest.User{ID: user, Name: "A User", Username: "user" + user}); err != nil {
		a.Fatal(err)
	}
	access, refresh, err := a.fake.IssueToken(user, a.client.ClientID(), scopes...)
	if err != nil {
		a.Fatal(err)
	}
	a.secrets = append(a.secrets, access, refresh)
	return user, access, refresh
}

func (a *app) adopt(stdin string, args ...string) result {
	a.Helper()
	return a.ctl(stdin, append([]string{"adopt", "-provider", "x", "-client", a.client.ClientID(), a.url}, args...)...)
}

func quoted(s string) string { b, _ := json.Marshal(s); return string(b) }

// TestAdopt: what each program keeps becomes a grant that works.
func TestAdopt(t *testing.T) {
	expiry := time.Now().Add(time.Hour).Format(time.RFC3339Nano)
	tests := []struct {
		name  string
		from  string
		keeps func(user, access, refresh string) string
		flags []string
	}{
		{"a token of x/oauth2", "oauth2", func(_, access, refresh string) string {
			return fmt.Sprintf(`{"access_token":%s,"token_type":"bearer","refresh_token":%s,"expiry":%q}`, quoted(access), quoted(refresh), expiry)
		}, nil},
		{"an answer of a token endpoint", "oauth2", func(_, access, refresh string) string {
			return fmt.Sprintf(`{"access_token":%s,"refresh_token":%s,"expires_in":3600,"scope":"tweet.read users.read"}`, quoted(access), quoted(refresh))
		}, nil},
		{"a user of goth", "goth", func(user, access, refresh string) string {
			return fmt.Sprintf(`{"RawData":{"a":1},"Provider":"twitterv2","UserID":%s,"AccessToken":%s,"AccessTokenSecret":"","RefreshToken":%s,"ExpiresAt":%q}`, quoted(user), quoted(access), quoted(refresh), expiry)
		}, nil},
		{"a remote of rclone", "rclone", func(_, access, refresh string) string {
			return fmt.Sprintf("[plain]\ntype = local\n\n[drive]\ntype = drive\ntoken = {\"access_token\":%s,\"refresh_token\":%s,\"expiry\":%q}\n", quoted(access), quoted(refresh), expiry)
		}, nil},
		{"one remote of several", "rclone", func(_, access, refresh string) string {
			return fmt.Sprintf("[other]\ntoken = {\"access_token\":\"no\"}\n[drive]\ntoken = {\"access_token\":%s,\"refresh_token\":%s}\n", quoted(access), quoted(refresh))
		}, []string{"-remote", "drive"}},
		{"hosts.yml of gh", "gh", func(_, access, _ string) string {
			return fmt.Sprintf("github.com:\n    users:\n        octocat:\n            oauth_token: %s\n    git_protocol: https\n    user: octocat\n    oauth_token: %s\n", access, access)
		}, nil},
		{"a cache file of kubelogin", "kubelogin", func(user, _, refresh string) string {
			claims := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":` + quoted(user) + `}`))
			return fmt.Sprintf(`{"id_token":"e30.%s.sig","refresh_token":%s}`, claims, quoted(refresh))
		}, nil},
		{"a bare token", "token", func(_, access, _ string) string { return access + "\n" }, nil},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			key := a.newKey()
			a.setKeys(key)
			a.secret()
			user, access, refresh := a.other(i)
			r := a.adopt(tt.keeps(user, access, refresh), append([]string{"-from", tt.from}, tt.flags...)...).want(t, 0, "adopted "+user+"\n")
			a.wantNoSecret("adopt", r)
			tok, err := a.grants(key).Source(user).Token(t.Context())
			if err != nil {
				t.Fatalf("Token of the adopted grant = %v", err)
			}
			if got := a.fake.Token(tok.AccessToken); got.User.ID != user || got.Dead != "" {
				t.Errorf("the adopted token is of %q and dead %q, want a good one of %s", got.User.ID, got.Dead, user)
			}
			if tt.from == "goth" || tt.from == "oauth2" {
				r = a.adopt(tt.keeps(user, access, refresh), append([]string{"-from", tt.from}, tt.flags...)...).want(t, 1, "1 grants exist and were left alone", user)
				a.wantNoSecret("a second adopt", r)
			}
		})
	}
}

func TestAdoptOfSeveral(t *testing.T) {
	a := newApp(t)
	a.secret()
	var lines strings.Builder
	for n := range 3 {
		user, access, refresh := a.other(n)
		fmt.Fprintf(&lines, `{"UserID":%q,"AccessToken":%s,"RefreshToken":%s}`+"\n", user, quoted(access), quoted(refresh))
	}
	a.adopt(lines.String(), "-from", "goth", "-insecure-plaintext", "-o", "json").want(t, 0,
		`{"adopted":["9000000","9000001","9000002"],"conflicts":[]}`)
	ctl(t, "", "list", a.url).want(t, 0, "grants: 3;")
	a.adopt(lines.String(), "-from", "goth", "-insecure-plaintext", "-o", "json").want(t, 1,
		`{"adopted":[],"conflicts":["9000000","9000001","9000002"]}`)
}

func TestAdoptIsRefused(t *testing.T) {
	good := `{"access_token":"canary-token"}`
	tests := []struct {
		name, from, stdin string
		flags             []string
		code              int
		want              string
	}{
		{"no format", "", good, nil, 2, "-from is oauth2, goth"},
		{"another format", "canary", good, nil, 2, "-from is oauth2, goth"},
		{"no keys", "oauth2", good, nil, 1, "set AUTHTRIP_KEYS"},
		{"nothing", "oauth2", "", nil, 1, "there is no token in it"},
		{"no JSON", "oauth2", "canary-token", nil, 1, "object 1 is not the JSON"},
		{"an empty object", "oauth2", "{}", nil, 1, "object 1: it has neither"},
		{"two tokens for one subject", "oauth2", good + good, []string{"-subject", "me"}, 1, "-subject is for one token, and there are 2"},
		{"a token of OAuth 1.0", "goth", `{"AccessToken":"canary-token","AccessTokenSecret":"canary-token"}`, nil, 1, "OAuth 1.0"},
		{"an encrypted rclone.conf", "rclone", "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\ncanary-token", nil, 1, "it is encrypted"},
		{"two remotes", "rclone", "[a]\ntoken = {}\n[b]\ntoken = {}\n", nil, 1, "-remote names one: a, b"},
		{"no such remote", "rclone", "[a]\ntoken = {}\n", []string{"-remote", "b"}, 1, "there is no token in it"},
		{"no hosts.yml", "gh", "canary-token: [", nil, 1, "it is no hosts.yml"},
		{"another host", "gh", "ghe.example:\n  oauth_token: canary-token\n", nil, 1, `it has no host "github.com"`},
		{"a keychain of gh", "gh", "github.com:\n  user: octocat\n", nil, 1, "gh auth token | grantctl adopt -from token"},
		{"no refresh token of kubelogin", "kubelogin", `{"id_token":"canary-token"}`, nil, 1, "offline_access"},
		{"a token with a space", "token", "canary token", nil, 1, "a token has no spaces"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			a.secret()
			r := a.adopt(tt.stdin, append([]string{"-from", tt.from}, tt.flags...)...).want(t, tt.code, tt.want)
			if strings.Contains(r.stderr+r.stdout, "canary-token") {
				t.Errorf("adopt repeats the token: %q", r.stderr)
			}
			a.wantNoSecret("adopt", r)
		})
	}
	a := newApp(t)
	a.ctl(good, "adopt", "-from", "oauth2", a.url).want(t, 2, "-provider and -client are needed")
	a.secret()
	a.adopt(good, "-from", "oauth2", "-insecure-plaintext").want(t, 1, "token 1 of 1", "-subject does")
}

// TestAdoptAfterALogout: the record of a logout stays for a day, and is no
// grant that could be lost.
func TestAdoptAfterALogout(t *testing.T) {
	a := newApp(t)
	a.secret()
	g := a.grants()
	user := a.user(g, 1)
	if err := g.Logout(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	access, refresh, err := a.fake.IssueToken(user, a.client.ClientID(), scopes...)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"access_token":%s,"refresh_token":%s}`, quoted(access), quoted(refresh))
	a.adopt(text, "-from", "oauth2", "-insecure-plaintext").want(t, 0, "adopted "+user+"\n")
	ctl(t, "", "list", a.url).want(t, 0, "alive, not sealed")
}

// TestAdoptARefreshTokenOfNobody: it is not redeemed before it is known whose
// it is.
func TestAdoptARefreshTokenOfNobody(t *testing.T) {
	a := newApp(t)
	a.secret()
	user, _, refresh := a.other(1)
	text := fmt.Sprintf(`{"refresh_token":%s}`, quoted(refresh))
	a.adopt(text, "-from", "oauth2", "-insecure-plaintext").want(t, 1, "nothing says whose refresh token it is", "-subject says it")
	if n := a.fake.TokenCalls("refresh_token"); n != 0 {
		t.Errorf("%d refresh requests, want none", n)
	}
	a.adopt(text, "-from", "oauth2", "-insecure-plaintext", "-subject", user).want(t, 0, "adopted "+user+"\n")
}
