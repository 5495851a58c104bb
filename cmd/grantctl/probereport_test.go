package main_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestProbeMeasuresTheGraceWindow(t *testing.T) {
	tests := []struct {
		window time.Duration
		flags  []string
		want   string
		file   time.Duration // RefreshTokens.Grace in the file
	}{
		{0, nil, "reuse_answered_at_once=false grace_at_least_seconds=null grace_below_seconds=null reuse_ends_grant=true", 0},
		{3 * time.Second, nil, "reuse_answered_at_once=true grace_at_least_seconds=0 grace_below_seconds=6 reuse_ends_grant=true", 0},
		{15 * time.Second, nil, "reuse_answered_at_once=true grace_at_least_seconds=10 grace_below_seconds=21 reuse_ends_grant=true", 10 * time.Second},
		{time.Hour, nil, "reuse_answered_at_once=true grace_at_least_seconds=60 grace_below_seconds=null reuse_ends_grant=null", time.Minute},
		{90 * time.Second, []string{"-grace", "5m"}, "reuse_answered_at_once=true grace_at_least_seconds=60 grace_below_seconds=121 reuse_ends_grant=true", time.Minute},
		{time.Hour, []string{"-grace", "0"}, "reuse_answered_at_once=true grace_at_least_seconds=0 grace_below_seconds=null reuse_ends_grant=null", 0},
	}
	for _, tt := range tests {
		r := probe(t, named(), func(k *oauthtest.Knobs) { k.Token.GraceWindow = tt.window }, &operator{}, append(tt.flags, "-yes")...)
		r.want(t, 0)
		if got := r.facts(t, "reuse_answered_at_once", "grace_at_least_seconds", "grace_below_seconds", "reuse_ends_grant"); got != tt.want {
			t.Errorf("probe of a window of %v, %v = %s, want %s", tt.window, tt.flags, got, tt.want)
		}
		if got := r.provider(t).RefreshTokens.Grace; got != tt.file {
			t.Errorf("the file of a window of %v has Grace %v, want %v", tt.window, got, tt.file)
		}
	}
}

// provider loads the file that probe has written.
func (r probed) provider(t *testing.T) *provider.Provider {
	t.Helper()
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
	return p
}

// The file says how the server words the end of a grant, unless its word means
// other things too.
func TestProbeWritesTheCodeOfADeadGrant(t *testing.T) {
	for code, want := range map[string]bool{"token_inactive": true, "invalid_grant": false, "invalid_request": false, "\x1b[2J": false} {
		like := func(k *oauthtest.Knobs) {
			k.Token.NoFamilyRevocation, k.Token.RefreshErrorCode, k.Token.RefreshErrorStatus = true, code, 400
		}
		r := probe(t, named(), like, &operator{}, "-yes")
		refusals := r.provider(t).Refusals
		if (len(refusals) == 1) != want || want && (refusals[0].Where["error"] != code || refusals[0].Fixer != provider.UserCanFix) {
			t.Errorf("the file of a server that answers %q has the refusals %+v, want one: %t", code, refusals, want)
		}
		if strings.Contains(r.stdout+r.stderr, "\x1b") {
			t.Errorf("the report of a server that answers %q has a control character", code)
		}
	}
}

// Endpoints of the command line are not needed where the server has metadata.
func TestProbeReadsTheMetadata(t *testing.T) {
	by := &operator{}
	by.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/.well-known/oauth-authorization-server" {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","revocation_endpoint":"%[1]s/revoke"}`, "http://"+r.Host)
		})
	}
	r := probe(t, named(), func(k *oauthtest.Knobs) { k.Token.NoFamilyRevocation = true }, by,
		"-yes", "-authorization-endpoint", "", "-token-endpoint", "", "-revocation-endpoint", "")
	r.want(t, 0)
	if got, want := r.facts(t, "metadata", "rotates", "revocation_status"), "metadata=true rotates=true revocation_status=200"; got != want {
		t.Errorf("probe = %s, want %s", got, want)
	}
}

// A server that does not answer is named, with the reason, and without the text
// that came.
func TestProbeOfAServerThatIsNotThere(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	strange := httptest.NewTLSServer(http.NotFoundHandler())
	defer strange.Close()
	rubbish, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rubbish.Close()
	go func() {
		for {
			conn, err := rubbish.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "canary\r\n\r\n")
			_ = conn.Close()
		}
	}()
	for base, want := range map[string]string{
		closed.URL:                          "nothing listens there: the connection was refused",
		strange.URL:                         "certificate",
		"http://" + rubbish.Addr().String(): "the connection failed, or what came is no HTTP answer",
	} {
		for _, endpoints := range [][]string{nil, {"-authorization-endpoint", base + "/a", "-token-endpoint", base + "/t"}} {
			args := append([]string{"probe", "-client", "a", "-redirect", "https://app.example", base}, endpoints...)
			if r := ctl(t, "", args...).want(t, 1, want, strings.TrimPrefix(strings.TrimPrefix(base, "http://"), "https://")); strings.Contains(r.stderr, "canary") {
				t.Errorf("probe of %s printed %q, which has what came", base, r.stderr)
			}
		}
	}
}

func TestHarmless(t *testing.T) {
	const withheld = "(withheld)"
	secrets := []string{"s3cret-token", "abc", ""}
	for text, want := range map[string]string{
		"": "", "invalid_grant": "invalid_grant", "application/problem+json": "application/problem+json", "urn:a:b": "urn:a:b",
		"s3cret-token": withheld, "is S3CRET-": withheld, "cret-t": withheld, "xabcx": withheld, "ret-to": withheld, "ret-t": "ret-t",
		"a\x1b[2J": withheld, "<script>": withheld, "a\nb": withheld, "\u00e9": withheld, strings.Repeat("a", 65): withheld,
	} {
		if got := grantctl.Harmless(text, secrets); got != want {
			t.Errorf("Harmless(%q) = %q, want %q", text, got, want)
		}
	}
	if got := grantctl.Harmless("invalid_grant", []string{"invalid_grant"}); got != "invalid_grant" {
		t.Errorf("Harmless(invalid_grant as a secret) = %q, want the code: it is that of every server", got)
	}
}
