package xapi

import (
	"encoding/json"
	"net/http"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The bodies below are what X answers, byte by byte.
const (
	typeJSON    = "application/json; charset=utf-8"
	typeProblem = "application/problem+json"
	typeHTML    = "text/html; charset=utf-8"
	typeText    = "text/plain; charset=utf-8"

	bodyUnauthorizedClient = `{"error":"unauthorized_client","error_description":"Missing valid authorization header"}`
	bodyInvalidClient      = `{"error":"invalid_client"}`
	bodyRevoked            = `{"revoked":true}`

	bodyUnauthorized    = `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`
	bodyUnauthorizedV1  = `{"errors":[{"code":89,"message":"Invalid or expired token"}]}`
	bodyForbidden       = `{"title":"Forbidden","type":"about:blank","status":403,"detail":"Forbidden"}`
	bodyUnsupported     = `{"title":"Unsupported Authentication","detail":"Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context].","type":"https://api.x.com/2/problems/unsupported-authentication","status":403}`
	bodyCredits         = `{"detail":"credits depleted","status":402,"title":"Payment Required","type":"https://api.x.com/2/problems/credits-depleted"}`
	bodySpendCap        = `{"title":"Forbidden","detail":"Your monthly spend cap has been reached.","type":"https://api.x.com/2/problems/spend-cap-reached"}`
	bodyDuplicate       = `{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}`
	bodyTooMany         = `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`
	bodyTooManyV1       = `{"errors":[{"code":88,"message":"Rate limit exceeded"}]}`
	bodyTooManyText     = `Rate limit exceeded`
	bodyUsageCap        = `{"account_id":1444444444444444444,"product_name":"pay-per-use","title":"UsageCapExceeded","period":"Monthly","scope":"Product","detail":"Usage cap exceeded: Monthly product cap","type":"https://api.x.com/2/problems/usage-capped"}`
	bodyAppOnly         = `{"errors":[{"code":99,"label":"authenticity_token_error","message":"Unable to verify your credentials"}]}`
	bodyMethod          = `{"title":"Method Not Allowed","type":"about:blank","status":405,"detail":"Method Not Allowed"}`
	bodyBadPost         = `{"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.x.com/2/problems/invalid-request"}`
	clientForbiddenText = "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project. You can create a project via the developer portal."

	pageWentWrong = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">" +
		"<meta name=\"viewport\" content=\"width=device-width\"><title>X</title></head><body>\n<h1>Something went wrong</h1>\n" +
		"<p>You weren't able to give access to the App. Go back and try logging in again.</p>\n</body></html>\n"

	badCode     = "Value passed for the authorization code was invalid."
	badRedirect = "Value passed for the redirect uri did not match the uri of the authorization code."
	badVerifier = "Value passed for the code verifier did not match the code challenge."
	badToken    = "Value passed for the token was invalid."
	badHint     = "Value passed for the token type hint was invalid."
	badGrant    = "Value passed for the grant type was invalid. Grant type should be one of [authorization_code, refresh_token]."
	badQuery    = "Parameters must be passed in the request body."
)

// HTMLPage is what an edge proxy answers in place of X: a body for an
// oauthtest.Fault with a status such as 403 or 503.
const HTMLPage = "<!DOCTYPE html>\n<html><head><title>Attention Required! | Cloudflare</title></head>" +
	"<body><h1>Sorry, you have been blocked</h1></body></html>\n"

// words are X's answers to the topics of oauthtest.Options.Answer.
func words(topic, parameter string) *oauthtest.Answer {
	switch topic {
	case "missing":
		return invalid("Missing required parameter [" + parameter + "].")
	case "client":
		return answer(http.StatusUnauthorized, typeJSON, bodyUnauthorizedClient)
	case "unknown client":
		return answer(http.StatusUnauthorized, typeJSON, bodyInvalidClient)
	case "revoked":
		return answer(http.StatusOK, typeJSON, bodyRevoked)
	case "page":
		return answer(http.StatusBadRequest, typeHTML, pageWentWrong)
	case "path":
		return notFound()
	case "method":
		return problem(http.StatusMethodNotAllowed, bodyMethod)
	}
	if description, ok := descriptions[topic]; ok {
		return invalid(description)
	}
	return nil
}

var descriptions = map[string]string{
	"code": badCode, "redirect_uri": badRedirect, "code_verifier": badVerifier, "refresh_token": badToken, "token": badToken,
	"token_type_hint": badHint, "grant_type": badGrant, "query": badQuery,
}

func answer(status int, contentType, body string) *oauthtest.Answer {
	a := &oauthtest.Answer{Status: status, Header: http.Header{}, Body: body}
	if contentType != "" {
		a.Header.Set("Content-Type", contentType)
	}
	return a
}

// invalid is an error response of RFC 6749 section 5.2, as X words them.
func invalid(description string) *oauthtest.Answer {
	return answer(http.StatusBadRequest, typeJSON, `{"error":"invalid_request","error_description":`+quote(description)+`}`)
}

// notFound is X's answer at an unknown path: no body, and no content type.
func notFound() *oauthtest.Answer { return answer(http.StatusNotFound, "", "") }

func problem(status int, body string) *oauthtest.Answer { return answer(status, typeProblem, body) }

func answerJSON(status int, value any) *oauthtest.Answer {
	body, err := json.Marshal(value)
	if err != nil {
		return problem(http.StatusInternalServerError, "") // cannot happen: the callers' values can be encoded
	}
	return answer(status, typeJSON, string(body))
}

// clientForbidden is the answer to an app that must be enrolled first, in the
// words of 2025, or in those of 2026 to its user.
func clientForbidden(clientID string, user bool) *oauthtest.Answer {
	reason, host, page := "client-not-enrolled", "api.twitter.com", "https://developer.twitter.com/en/docs/projects/overview"
	if user {
		reason, host, page = "user-not-enrolled", "api.x.com", "https://console.x.com"
	}
	body := `{"client_id":` + quote(clientID) + `,"detail":` + quote(clientForbiddenText) +
		`,"registration_url":` + quote(page) + `,"title":"Client Forbidden",` +
		`"required_enrollment":"Appropriate Level of API Access","reason":"` + reason + `",` +
		`"type":"https://` + host + `/2/problems/client-forbidden"}`
	return problem(http.StatusForbidden, body)
}

// quote returns text as a JSON string.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // cannot happen: every string can be encoded
	}
	return string(b)
}
