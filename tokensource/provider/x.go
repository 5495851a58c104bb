package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// Facts about X. The sources are X's documentation and captured answers.
const (
	// X answers invalid_request where RFC 6749 section 5.2 has invalid_grant.
	// Only the description shows the difference.
	xDeadToken = "Value passed for the token was invalid."
	xDeadCode  = "Value passed for the authorization code was invalid."
)

// X returns the facts of X (Twitter): OAuth 2.0 Authorization Code with PKCE,
// for public and confidential clients. It is [Get] of "x", which cannot fail.
// Each call returns a new value. So a caller may change it, for example append
// a scope that is new at X.
//
// Ask for "tweet.read" and "users.read" to learn who the user is. Ask for
// "offline.access" to stay logged in for more than two hours.
func X() *Provider {
	p, err := Get("x")
	if err != nil {
		panic(err) // the data is part of the program, and a test reads it
	}
	return p
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

// classifyX recognises the answers in which X says that a code or a refresh
// token is not valid, and those in which it refuses the app.
func classifyX(a Answer) Verdict {
	if a.Status != http.StatusBadRequest || a.Code() != "invalid_request" {
		return xProblem(a)
	}
	switch {
	case a.Op == "refresh" && a.Description() == xDeadToken, a.Op == "exchange" && a.Description() == xDeadCode:
		return Verdict{Fixer: UserCanFix}
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
