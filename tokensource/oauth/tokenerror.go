package oauth

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/internal/reading"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The lengths, in bytes, to which an error's texts from the server are cut.
const (
	maxCode        = 64
	maxDescription = 200
)

// errNoAnswer is the cause of a failure after an answer that is not one of an
// authorization server: a page of a gateway, of a captive portal, of a server
// under maintenance.
var errNoAnswer = errors.New("the answer has neither a token nor an error code: it is not one of an authorization server")

// failure makes an answer that did not do what was asked into a
// *tokensource.Error whose Kind says who can help (G15, G16). The provider
// judges first. It sees the answer as it came: what is removed for the text of
// the error could change the meaning.
func (c *Client) failure(op string, a answer) *tokensource.Error {
	raw := provider.NewAnswer(op, a.status, a.header, a.body)
	verdict := reading.Judge(c.provider, raw)
	code := verdict.Code
	if code == "" {
		code = raw.Code()
	}
	e := &tokensource.Error{Op: op, Status: a.status, Code: code, Hint: verdict.Hint}
	secrets := slices.Concat(a.secrets, issued(raw))
	if !wellKnown[code] {
		e.Code = redact.Text(code, maxCode, secrets...)
	}
	e.Description = redact.Text(raw.Description(), maxDescription, secrets...)
	_, readable := members.Read(a.body)
	if verdict.Fixer == provider.ByDefault {
		verdict.Fixer = judge(raw, code, readable)
		e.Unrecognized = verdict.Fixer == provider.OperatorFixes && !aboutClient(a.status, code)
	}
	c.fixedBy(e, verdict.Fixer, a, code)
	if a.success() && code == "" && errors.Is(e, tokensource.ErrTemporary) {
		e.Err = errNoAnswer
	}
	return e
}

// issued returns the tokens in a refusal. Some servers send both.
func issued(a provider.Answer) (tokens []string) {
	for _, name := range [...]string{"access_token", "refresh_token", "id_token"} {
		if token := a.Member(name); len(token) >= minSecret {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// fixedBy fills in what follows from who can fix a failure.
func (c *Client) fixedBy(e *tokensource.Error, fixer provider.Fixer, a answer, code string) {
	switch {
	case fixer == provider.UserCanFix && hasUser(e.Op):
		e.Kind, e.Reason = tokensource.ErrReauthorize, tokensource.ReasonRefused
		if e.Hint == "" && e.Op == opRefresh {
			e.Hint = c.whyRefused()
		}
	case fixer == provider.TimeFixes:
		e.Kind, e.RetryAfter = tokensource.ErrTemporary, retryAfter(a.header, time.Now())
	default:
		e.Kind = tokensource.ErrClient
		if e.Hint == "" {
			e.Hint = c.hint(e, code)
		}
	}
}

// whyRefused says what may have ended a refresh token. A server may keep one
// grant for several logins of a user. Then the revocation of the tokens that a
// new login has replaced ends the new ones too.
func (c *Client) whyRefused() string {
	switch p := c.provider; {
	case p.SingleGrant:
		return "the user may have revoked it, or another login for the same app and user has replaced it"
	case p.RevokesAll || p.RevocationURL == "":
		return ""
	}
	return "if this happens directly after a second login of the same user, set RevokesAll in the provider"
}

// judge says who can fix what an answer reports if the provider does not say.
// An outage ends no grant (G8), so 5xx and 429 never mean that the user must
// act. That is also so behind a gateway: after 502 and 504 the server may have
// redeemed what was sent. It is sent again all the same. If it was redeemed,
// the server refuses it then, and nothing more is lost than was lost before.
func judge(a provider.Answer, code string, readable bool) provider.Fixer {
	page := code == "" && !readable
	switch {
	case a.Status >= 500, a.Status == http.StatusTooManyRequests:
		return provider.TimeFixes
	case endsGrant(a.Op, code): // also session_timeout
		return provider.UserCanFix
	case passes(code):
		return provider.TimeFixes
	case page && fromGateway(a.Status), asksForPatience(a.Status):
		return provider.TimeFixes
	case a.Status >= 200 && a.Status <= 299 && !hasError(read(a.Body())):
		return provider.TimeFixes
	}
	return provider.OperatorFixes
}

func read(body []byte) members.Object {
	o, _ := members.Read(body)
	return o
}

// fromGateway reports whether an answer that is a page comes from something
// between this program and the authorization server.
func fromGateway(status int) bool {
	switch status {
	case http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusMisdirectedRequest, http.StatusUnavailableForLegalReasons:
		return true
	}
	return false
}

// asksForPatience reports whether a status means by itself that the same
// request may succeed later. A server uses 409 if two requests met.
func asksForPatience(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly:
		return true
	}
	return false
}

// hint says what the operator can do about a refused client.
func (c *Client) hint(e *tokensource.Error, code string) string {
	switch {
	case e.Status >= 300 && e.Status <= 399:
		return "redirects are not followed, since they would carry credentials to another place: set the endpoint's final URL"
	case e.Status == http.StatusRequestEntityTooLarge:
		return "the server takes no request of this size: shorten its parameters"
	case code == "unauthorized_client" || code == "invalid_client":
		return c.clientHint()
	case e.Op == opRefresh && e.Unrecognized:
		return "if this answer means that the refresh token is not valid any more, let Provider.Classify say so"
	}
	return ""
}

func (c *Client) clientHint() string {
	if c.registration.Credential.by != nil {
		return "check ClientID, how the app is registered to authenticate, the key, certificate or assertion that the server knows, " +
			"Issuer and AssertionAudience of the Provider, and the clock"
	}
	if c.registration.Credential.IsZero() {
		return "no Credential is set: set oauth.Secret if the app is registered as a confidential client, and check ClientID"
	}
	return "check ClientID and the client secret (regenerated? white space? another app's?), the client type of the registration, " +
		"and Provider.ClientAuth: some servers want Post, and some do not decode Basic and want BasicRaw"
}
