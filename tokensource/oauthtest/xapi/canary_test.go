package xapi_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// The test run searches all that the tests have printed for secrets of the fake
// (.ci/gotest). The pattern must match them.
func TestTheTestRunKnowsTheFakesSecrets(t *testing.T) {
	script, err := os.ReadFile("../../../.ci/gotest")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`grep -nE '([^']+)'`).FindSubmatch(script)
	if found == nil {
		t.Fatal(".ci/gotest greps for nothing")
	}
	pattern := regexp.MustCompile(string(found[1]))
	app := oauthtest.ConfidentialApp()
	access, refresh, err := xapi.New(t, nil).IssueToken("", app.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	_, apiSecret := xapi.APIKeys(app)
	for name, secret := range map[string]string{"access token": access, "refresh token": refresh, "client secret": app.Secret(), "API secret": apiSecret} {
		if !pattern.MatchString("Bearer " + secret + "\n") {
			t.Errorf("the pattern does not find the %s", name)
		}
	}
	if pattern.MatchString(app.ClientID) {
		t.Error("the pattern finds the client ID, which is no secret")
	}
}
