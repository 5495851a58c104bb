package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/deviceauth"
)

// The names of operations with an extension grant.
const (
	opDeviceCode    = "device_code"
	opJWTBearer     = "jwt_bearer"
	opTokenExchange = "token_exchange"
	opExtension     = "extension"
)

var extensions = map[string]string{
	deviceauth.GrantType:                              opDeviceCode,
	"urn:ietf:params:oauth:grant-type:jwt-bearer":     opJWTBearer,
	"urn:ietf:params:oauth:grant-type:token-exchange": opTokenExchange,
}

// ofTheClient are parameters that only the Client sets.
var ofTheClient = []string{"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type"}

// ExtensionGrant asks for a token by an extension grant ([RFC 6749] section
// 4.5), such as the JWT bearer grant ([RFC 7523] section 2.1) or a token
// exchange ([RFC 8693]). The grant type is an absolute URI, and form has its
// parameters. The scopes and the resources of the registration are added,
// unless form has scopes or resources of its own. Packages derived and
// nativeapp are on top of this method, and keep the tokens.
//
// It returns a [*tokensource.Error]. ErrReauthorize means that the server wants
// the user, or refuses what stands for the user. An assertion that is refused
// (RFC 7523) is ErrClient, because the app made it. See [Unusable] for tokens
// that came and cannot be used. What the answer says beside the tokens is in
// Extra, as [Client.Exchange] has it.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
func (c *Client) ExtensionGrant(ctx context.Context, grantType string, form url.Values) (*oauth2.Token, error) {
	if u, err := url.Parse(grantType); err != nil || !u.IsAbs() {
		return nil, errors.New("oauth: an extension grant is named by an absolute URI (RFC 6749 section 4.5)")
	}
	for _, name := range ofTheClient {
		if form.Has(name) {
			return nil, fmt.Errorf("oauth: parameter %q is set by the Client and cannot be given", name)
		}
	}
	if err := c.checkKey(); err != nil {
		return nil, err
	}
	op, known := extensions[grantType]
	if !known {
		op = opExtension
	}
	sent := cloneForm(form)
	sent.Set("grant_type", grantType)
	if op != opDeviceCode { // the request for the device code has named the scopes
		c.addScopes(sent)
	}
	return c.token(ctx, call{op: op, endpoint: c.at.token, form: sent})
}

// addScopes adds the scopes of the registration.
func (c *Client) addScopes(form url.Values) {
	if len(c.registration.Scopes) > 0 && !form.Has("scope") {
		form.Set("scope", joinScopes(c.provider, c.registration.Scopes))
	}
}

func cloneForm(form url.Values) url.Values {
	clone := make(url.Values, len(form)+2)
	maps.Copy(clone, form)
	for name, values := range clone {
		clone[name] = slices.Clone(values)
	}
	return clone
}

// ofUsers reports whether the tokens of an operation are those of a user. The
// provider's facts about lifetimes are about such tokens.
func ofUsers(op string) bool {
	return op == opExchange || op == opRefresh || op == opDeviceCode
}

// hasUser reports whether a user can help if the operation is refused.
func hasUser(op string) bool {
	return op != opClientCredentials && op != opPush && op != opJWTBearer && op != opDevice
}
