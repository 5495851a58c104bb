package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// Facts about X. The sources are X's documentation and captured answers.
const (
	// With a longer state, X redirects back with error=invalid_request and an
	// empty state.
	xMaxState = 500

	// The lifetime is documented, and every expires_in had this value.
	xExpiresIn = 2 * time.Hour

	// X answers invalid_request where RFC 6749 section 5.2 has invalid_grant.
	// Only the description shows the difference.
	xDeadToken = "Value passed for the token was invalid."
	xDeadCode  = "Value passed for the authorization code was invalid."
)

// xScopes is every scope that X documents for OAuth 2.0.
var xScopes = []string{
	"tweet.read", "tweet.write", "tweet.moderate.write", "users.email", "users.read", "follows.read", "follows.write",
	"offline.access", "space.read", "mute.read", "mute.write", "like.read", "like.write", "list.read", "list.write",
	"block.read", "block.write", "bookmark.read", "bookmark.write", "dm.read", "dm.write", "media.write",
	"broadcast.read", "broadcast.write", "timeline.read", "ads.read", "ads.write",
}

// xAPIOrigins are X's hosts that accept a user's token: the API under both of
// its names, the Ads API (scopes ads.read and ads.write), and uploads.
var xAPIOrigins = []string{"https://api.x.com", "https://api.twitter.com", "https://ads-api.x.com", "https://upload.x.com"}

// xOtherEndpoints take the credential of the app and no token of a user: the
// endpoints under X's former host name, which is an API origin too, and the
// revocation of an app's own token.
var xOtherEndpoints = []string{
	"https://api.x.com/oauth2/invalidate_token",
	"https://api.twitter.com/2/oauth2/token",
	"https://api.twitter.com/2/oauth2/revoke",
	"https://api.twitter.com/oauth2/token",
	"https://api.twitter.com/oauth2/invalidate_token",
}

// X returns the facts of X (Twitter): OAuth 2.0 Authorization Code with PKCE,
// for public and confidential clients. Each call returns a new value. So a
// caller may change it, for example append a scope that is new at X.
//
// Ask for "tweet.read" and "users.read" to learn who the user is. Ask for
// "offline.access" to stay logged in for more than two hours.
func X() *Provider {
	return &Provider{
		Name:                 "x",
		AuthorizationURL:     "https://x.com/i/oauth2/authorize",
		TokenURL:             "https://api.x.com/2/oauth2/token",
		RevocationURL:        "https://api.x.com/2/oauth2/revoke",
		ClientCredentialsURL: "https://api.x.com/oauth2/token",
		OtherEndpoints:       slices.Clone(xOtherEndpoints),
		ClientAuth:           Basic,
		ClientIDInBody:       true, // X has asked for it beside Basic at times, and accepts it always
		APIOrigins:           slices.Clone(xAPIOrigins),
		Scopes:               slices.Clone(xScopes),
		RefreshScope:         "offline.access",
		MaxState:             xMaxState,
		ExpiresIn:            xExpiresIn,
		SingleGrant:          true,
		CheckClient:          checkXClient,
		Classify:             classifyX,
		IdentityURL:          "https://api.x.com/2/users/me?user.fields=profile_image_url",
		ParseIdentity:        parseXIdentity,
		IdentityScopes:       []string{"users.read", "tweet.read"},
		API:                  tokensource.APIFacts{LimitHeaders: xLimits()},
	}
}

// checkXClient compares the client ID with the kind of client. At X the ID is
// base64url of "<random>:1:ci" for a confidential client, and of
// "<random>:1:na" for a public one. An ID of another form passes, because the
// form is not documented.
func checkXClient(clientID string, confidential bool) error {
	decoded, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(clientID, "=")) // of another form: no suffix
	switch {
	case strings.HasSuffix(string(decoded), ":ci") && !confidential:
		return errors.New("the client ID ends in :ci, which X issues to confidential clients: set the client secret")
	case strings.HasSuffix(string(decoded), ":na") && confidential:
		return errors.New("the client ID ends in :na, which X issues to public clients (native app, single page app): " +
			"leave the client secret empty, or set the app's type to web app in the developer console")
	}
	return nil
}

// xLimits returns X's rate limits. The daily ones can be exhausted while the
// first one is not.
func xLimits() (list []tokensource.LimitHeaders) {
	for _, name := range []string{"x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"} {
		list = append(list, tokensource.LimitHeaders{Limit: name + "-limit", Remaining: name + "-remaining", Reset: name + "-reset"})
	}
	return list
}

// classifyX recognises the answers in which X says that a code or a refresh
// token is not valid, and those in which it refuses the app.
func classifyX(a Answer) Verdict {
	if a.Status != http.StatusBadRequest || a.Code() != "invalid_request" {
		return xProblem(a)
	}
	switch {
	case a.Op == "refresh" && a.Description() == xDeadToken, a.Op == "exchange" && a.Description() == xDeadCode:
		return Verdict{Cure: UserCanCure}
	}
	return Verdict{}
}

// parseXIdentity reads the answer of GET /2/users/me. The fields that
// IdentityURL asks for beyond name and picture are claims.
func parseXIdentity(body []byte) (Identity, error) {
	var answer struct {
		Data struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Username string `json:"username"`
			Picture  string `json:"profile_image_url"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Identity{}, errors.New("provider x: /2/users/me did not answer with the documented JSON")
	}
	if answer.Data.ID == "" {
		return Identity{}, errors.New("provider x: /2/users/me named no user")
	}
	user := answer.Data
	return Identity{Subject: user.ID, Username: user.Username, Name: user.Name, Picture: user.Picture, Claims: xClaims(body)}, nil
}

// xClaims returns the facts about a user that are text or yes or no, by the
// names that user.fields has for them.
func xClaims(body []byte) map[string]string {
	var answer struct {
		Data map[string]any `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	claims := map[string]string{}
	for name, value := range answer.Data {
		switch value := value.(type) {
		case string:
			claims[name] = value
		case bool:
			claims[name] = strconv.FormatBool(value)
		}
	}
	for _, name := range []string{"id", "name", "username", "profile_image_url"} {
		delete(claims, name)
	}
	if len(claims) == 0 {
		return nil
	}
	return claims
}
