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

// failure turns an error response into an *tokensource.Error whose Kind tells a caller what to do (RFC 6749 section 5.2, with what
// real servers make of it). secrets are what the request carried: a server may echo them.
func (c *Client) failure(op, grantType string, a answer, secrets ...string) *tokensource.Error {
	e := &tokensource.Error{Op: op, Status: a.status}
	// Any shape is possible here: problem+json, HTML of a gateway, nothing at all. What cannot be read is left out.
	m, unreadable := members(a.body, tokenMembers)
	if unreadable == nil {
		code, _ := text(m, "error")
		description, _ := text(m, "error_description")
		secrets = append(secrets, c.registration.ClientSecret)
		e.Code = redact.Text(code, 64, secrets...)
		e.Description = redact.Text(description, 200, secrets...)
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

// deadGrant reports whether the server has said for good that code or refresh token are worth nothing.
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

// temporary reports whether the server, or something before it, may answer otherwise later. Some 4xx are a gateway's: they
// are no word of the authorization server if they are not in its language, JSON.
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

func (c *Client) hint(e *tokensource.Error) string {
	switch {
	case e.Status >= 300 && e.Status <= 399:
		return "redirects are not followed, since they would carry credentials elsewhere: set the endpoint's final URL"
	case e.Code == "unauthorized_client" || e.Code == "invalid_client":
		if c.registration.ClientSecret == "" {
			return "no ClientSecret is set: set it if the app is registered as a confidential client, and check ClientID"
		}
		return "check ClientID and ClientSecret (regenerated? white space? another app's?) and the client type of the registration"
	}
	return ""
}

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3), in seconds or as a date. Garbage, the past and
// nothing are 0; more than an hour counts as one.
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
