package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// named is a server that names itself in each answer (RFC 9207).
func named() *oauthtest.Options {
	return &oauthtest.Options{Provider: &provider.Provider{Name: "as", IssuerRequired: true}}
}

func TestProbeLogsInWithTheBrowserOnThisMachine(t *testing.T) {
	by := &operator{}
	r := probe(t, named(), nil, by, "-yes", "-redirect", loopbackAt)
	r.want(t, 0, "in the browser on this machine")
	const want = "iss_in_answer=true rotates=true pkce_verifier_compared=true reuse_ends_grant=true auth_basic=true"
	if got := r.facts(t, "iss_in_answer", "rotates", "pkce_verifier_compared", "reuse_ends_grant", "auth_basic"); got != want {
		t.Errorf("probe = %s, want %s", got, want)
	}
	if by.pages != 2 || strings.Contains(r.stderr, "aste the address") {
		t.Errorf("%d pages were opened, want 2: the login, and the one with a wrong verifier; stderr %q", by.pages, r.stderr)
	}
}

func TestProbePastesWithALoopbackRedirectURLOverSSH(t *testing.T) {
	r := probe(t, named(), nil, &operator{opened: func(context.Context, string) error {
		t.Error("probe -paste opens a browser")
		return nil
	}}, "-yes", "-redirect", loopbackAt, "-paste")
	r.want(t, 0, "paste the address")
}

func TestProbeWithoutABrowserSaysWhatToDo(t *testing.T) {
	by := &operator{}
	by.opened = func(ctx context.Context, page string) error {
		to, err := by.fake.Authorize(ctx, "", page) // the user opens it
		if err != nil {
			return err
		}
		go by.visit(to)
		return nativeapp.ErrNoBrowser
	}
	probe(t, named(), nil, by, "-yes", "-redirect", loopbackAt).want(t, 0, "open the page yourself")
}

func TestProbeReportsADeniedLogin(t *testing.T) {
	for _, at := range []string{loopbackAt, pastedAt} {
		deny := func(k *oauthtest.Knobs) { k.Authorize.Deny = true }
		probe(t, named(), deny, &operator{}, "-yes", "-redirect", at).want(t, 1, "the login was refused")
	}
}

// blind is a server that ignores PKCE.
func blind(by *operator) *operator {
	by.page = func(page string) string {
		u, err := url.Parse(page)
		if err != nil {
			by.t.Fatal(err)
		}
		q := u.Query()
		q.Del("code_challenge")
		q.Del("code_challenge_method")
		u.RawQuery = q.Encode()
		return u.String()
	}
	by.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				text, _ := io.ReadAll(r.Body) // the fake complains about what is missing
				form, _ := url.ParseQuery(string(text))
				form.Del("code_verifier")
				r.Body = io.NopCloser(strings.NewReader(form.Encode()))
				r.ContentLength = int64(len(form.Encode()))
			}
			next.ServeHTTP(w, r)
		})
	}
	return by
}

func TestProbeReportsAServerThatIgnoresPKCE(t *testing.T) {
	for _, at := range []string{loopbackAt, pastedAt} {
		by := blind(&operator{})
		r := probe(t, named(), nil, by, "-yes", "-redirect", at)
		r.want(t, 0)
		if got, want := r.facts(t, "pkce_verifier_compared"), "pkce_verifier_compared=false"; got != want {
			t.Errorf("probe at %s = %s, want %s", at, got, want)
		}
		if g := by.fake.Grants(); len(g) == 0 || g[len(g)-1].Ended == "" {
			t.Errorf("at %s the grants are %v, want the one of the wrong verifier revoked", at, g)
		}
	}
}

// elsewhere logs in without probe, and returns the address that the browser
// ends at, and the verifier.
func elsewhere(t *testing.T, by *operator) (address, verifier string) {
	t.Helper()
	verifier = oauth2.GenerateVerifier()
	q := url.Values{
		"response_type": {"code"}, "client_id": {"the probe"}, "redirect_uri": {pastedAt}, "state": {"s"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	address, err := by.fake.Authorize(t.Context(), "", by.issuer+"/authorize?"+q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return address, verifier
}

func TestProbeTakesACodeOfALoginElsewhere(t *testing.T) {
	for name, cut := range map[string]func(address string) string{
		"the address": func(s string) string { return s },
		"the code": func(s string) string {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			return u.Query().Get("code")
		},
	} {
		by := &operator{}
		by.begin = func() {
			address, verifier := elsewhere(t, by)
			by.lines = []string{cut(address), verifier}
		}
		r := probe(t, named(), nil, by, "-yes", "-code")
		r.want(t, 0, "Paste the code")
		if got, want := r.facts(t, "rotates", "iss_in_answer", "pkce_verifier_compared"), "rotates=true iss_in_answer=null pkce_verifier_compared=null"; got != want {
			t.Errorf("probe -code with %s = %s, want %s", name, got, want)
		}
	}
	probe(t, named(), nil, &operator{lines: []string{"no-such-code", ""}}, "-yes", "-code").want(t, 1, `the code got no token: status 400, error "invalid_grant"`)
	probe(t, named(), nil, &operator{lines: []string{""}}, "-yes", "-code").want(t, 1, "that is no code")
}

func TestProbeTakesTokensOfALoginElsewhere(t *testing.T) {
	tests := []struct {
		name            string
		access, refresh bool
		want            string
		code            int
	}{
		{"both", true, true, "rotates=true bad_token_status=401 refresh_tokens=true", 0},
		{"a refresh token", false, true, "rotates=true bad_token_status=null refresh_tokens=true", 0},
		{"an access token", true, false, "rotates=null bad_token_status=401 refresh_tokens=null", 0},
		{"none", false, false, "rotates=null bad_token_status=null refresh_tokens=null", 1},
	}
	for _, tt := range tests {
		by := &operator{}
		by.begin = func() {
			access, refresh, err := by.fake.IssueToken("", "the probe")
			if err != nil {
				t.Fatal(err)
			}
			by.lines = []string{map[bool]string{true: access}[tt.access], map[bool]string{true: refresh}[tt.refresh]}
		}
		r := probe(t, named(), nil, by, "-yes", "-token", "-redirect", "")
		r.want(t, tt.code)
		if got := r.facts(t, "rotates", "bad_token_status", "refresh_tokens"); got != tt.want {
			t.Errorf("probe -token with %s = %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Ctrl-C ends probe at each step. What was found out before is reported.
func TestProbeCtrlC(t *testing.T) {
	stop := errors.New("interrupted")
	for name, set := range map[string]func(*operator, context.CancelCauseFunc){
		"while the address is waited for": func(by *operator, cancel context.CancelCauseFunc) {
			by.back = func(s string) string { cancel(stop); return s }
		},
		"while the browser is open": func(by *operator, cancel context.CancelCauseFunc) {
			by.opened = func(context.Context, string) error { cancel(stop); return nil }
		},
		"while a request is under way": func(by *operator, cancel context.CancelCauseFunc) {
			by.front = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/authorize" {
						next.ServeHTTP(w, r)
						return
					}
					cancel(stop)
					<-r.Context().Done()
				})
			}
		},
		"during the grace window": func(by *operator, cancel context.CancelCauseFunc) { by.waits = func() { cancel(stop) } },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		by := &operator{ctx: ctx}
		set(by, cancel)
		flags := []string{"-yes"}
		if by.opened != nil {
			flags = append(flags, "-redirect", loopbackAt)
		}
		r := probe(t, named(), func(k *oauthtest.Knobs) { k.Token.GraceWindow = time.Hour }, by, flags...)
		r.want(t, 1, "interrupted")
		if got := r.facts(t, "auth_basic"); got != "auth_basic=true" {
			t.Errorf("%s: the report has %s, want what was found out before", name, got)
		}
	}
}

// The server of npm has metadata, rotates, and takes a second use for theft.
func TestProbeOfOIDCProvider(t *testing.T) {
	const id, secret = "the probe", "a secret, with+a%20colon:"
	issuer := nodekit.Serve(t, "testdata/oidc-provider.mjs", "CLIENT_ID="+id, "CLIENT_SECRET="+secret)
	t.Setenv("AUTHTRIP_CLIENT_SECRET", secret)
	person := nodekit.NewPerson(t)
	open := func(_ context.Context, page string) error {
		person.Beside(func() { person.Decide(person.Get(page), "alice", true) })
		return nil
	}
	by := &operator{}
	file := filepath.Join(t.TempDir(), "op.json")
	var stdout, stderr bytes.Buffer
	code := grantctl.RunWith(t.Context(), []string{
		"probe", "-yes", "-o", "json", "-client", id, "-redirect", loopbackAt, "-scope", "openid", "-api", issuer + "/me", "-file", file, issuer,
	}, strings.NewReader(""), &stdout, &stderr, open, by.now, by.pause)
	r := probed{result: result{code, stdout.String(), stderr.String()}}
	r.want(t, 0)
	const want = "metadata=true pkce_required=null pkce_verifier_compared=true iss_in_answer=true auth_basic=true auth_basic_raw=false auth_post=true " +
		"rotates=true reuse_answered_at_once=false reuse_ends_grant=true bad_token_status=401"
	var names []string
	for pair := range strings.FieldsSeq(want) {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	if got := r.facts(t, names...); got != want {
		t.Errorf("probe of oidc-provider =\n%s, want\n%s", got, want)
	}
	text, err := os.ReadFile(file)
	if err != nil || !json.Valid(text) || strings.Contains(r.stdout+r.stderr+string(text), secret) {
		t.Errorf("the file is %q, %v, want JSON without the secret", text, err)
	}
}
