package oauth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The lengths, in bytes, to which an error's texts from the server are cut.
const (
	maxCode        = 64
	maxDescription = 200
)

// failure makes an error answer into a *tokensource.Error whose Kind says who
// can help (RFC 6749 section 5.2, with what real servers make of it).
func (c *Client) failure(op, grantType string, a answer) *tokensource.Error {
	e := &tokensource.Error{Op: op, Status: a.status}
	// An error answer may have any form: problem details, the HTML of a gateway,
	// nothing at all. What cannot be read is left out.
	m, unreadable := members(a.body, tokenMembers)
	if unreadable == nil {
		code, _ := text(m, "error")
		description, _ := text(m, "error_description")
		e.Code = redact.Text(code, maxCode, a.secrets...)
		e.Description = redact.Text(description, maxDescription, a.secrets...)
	}
	switch {
	case c.deadGrant(e, grantType):
		e.Kind, e.Reason = tokensource.ErrReauthorize, tokensource.ReasonRefused
		if c.provider.SingleGrant && grantType == "refresh_token" {
			e.Hint = "the user may have revoked it, or another login for the same app and user has replaced it"
		}
	case temporary(e, unreadable == nil):
		e.Kind, e.RetryAfter = tokensource.ErrTemporary, retryAfter(a.header, time.Now())
	default:
		e.Kind, e.Hint = tokensource.ErrClient, c.hint(e)
	}
	return e
}

// deadGrant reports whether the server said that the code or the refresh token
// is not valid any more. Only a 4xx says so: an outage ends no grant (G8),
// whatever its answer contains.
func (c *Client) deadGrant(e *tokensource.Error, grantType string) bool {
	if e.Status < 400 || e.Status > 499 || e.Status == http.StatusTooManyRequests {
		return false
	}
	if e.Code == "invalid_grant" {
		return true
	}
	return c.provider.DeadGrant != nil && c.provider.DeadGrant(provider.Failure{
		GrantType: grantType, Status: e.Status, Code: e.Code, Description: e.Description,
	})
}

// temporary reports whether the server, or a gateway before it, may answer
// otherwise later. Some 4xx come from gateways. They are no answer of the
// authorization server if they are not JSON.
func temporary(e *tokensource.Error, json bool) bool {
	gateway := []int{http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly}
	switch {
	case e.Status >= 500, e.Status == http.StatusTooManyRequests:
		return true
	case e.Code == "temporarily_unavailable", e.Code == "server_error":
		return true
	}
	return !json && slices.Contains(gateway, e.Status)
}

// hint says what the operator can do about a refused client.
func (c *Client) hint(e *tokensource.Error) string {
	switch {
	case e.Status >= 300 && e.Status <= 399:
		return "redirects are not followed, since they would carry credentials to another place: set the endpoint's final URL"
	case e.Code == "unauthorized_client" || e.Code == "invalid_client":
		if c.registration.Credential.IsZero() {
			return "no Credential is set: set oauth.Secret if the app is registered as a confidential client, and check ClientID"
		}
		return "check ClientID and the client secret (regenerated? white space? another app's?) and the client type of the registration"
	}
	return ""
}

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3), which is a
// number of seconds or a date. A value that cannot be read, a time in the past
// and a missing header are 0. More than an hour counts as an hour.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), time.Hour)
}
