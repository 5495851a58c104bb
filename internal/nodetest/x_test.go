package nodetest_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestTwitterAPIV2 runs npm's twitter-api-v2 against the fake of X: login, a
// call, a refresh, a post, and revocation, as a confidential and as a public
// client.
func TestTwitterAPIV2(t *testing.T) {
	for _, app := range []oauthtest.App{oauthtest.ConfidentialApp(), oauthtest.PublicApp()} {
		t.Run(app.Name, func(t *testing.T) {
			x := xapi.New(t, nil)
			live := httptest.NewTLSServer(x)
			defer live.Close()
			_, port, err := net.SplitHostPort(live.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			cmd := nodekit.Command(t, "x.cjs",
				"PORT="+port, "CA="+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: live.Certificate().Raw})),
				"CLIENT_ID="+app.ClientID, "CLIENT_SECRET="+app.Secret(), "CALLBACK="+app.RedirectURLs[0])
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("x.cjs: %v: %s", err, stderr.Bytes())
			}
			type outcome struct {
				User, Created, Post string
				ExpiresIn, Scopes   int
				Rotated, Revoked    bool
				Reused, After       int
			}
			var got outcome
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("x.cjs printed %s: %v", out, err)
			}
			want := outcome{
				User: "XDevelopers", Created: "2013-12-14T04:35:55.000Z", Post: "from Node",
				ExpiresIn: 7200, Scopes: 4, Rotated: true, Revoked: true, Reused: 400, After: 401,
			}
			if got != want {
				t.Errorf("x.cjs found %+v, want %+v", got, want)
			}
			grants := x.Grants()
			if len(grants) != 1 || grants[0].Refreshes != 1 || grants[0].Ended != oauthtest.Revoked {
				t.Errorf("the fake's grants are %+v, want one that was refreshed once and revoked", grants)
			}
		})
	}
}
