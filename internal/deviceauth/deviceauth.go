// Package deviceauth lets package nativeapp ask package oauth for a device code
// ([RFC 8628] section 3.1). A program has no use for a device code without the
// loop that waits for the user, and that loop is in package nativeapp.
//
// An oauth.Client embeds an [Endpoint]. It is safe for concurrent use. Its
// errors are those of package oauth.
//
// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
package deviceauth

import (
	"context"
	"net/url"

	"golang.org/x/oauth2"
)

// GrantType is the grant type of the requests that ask for the tokens.
const GrantType = "urn:ietf:params:oauth:grant-type:device_code"

// Ask sends a device authorization request with more parameters, or nil.
type Ask func(ctx context.Context, params url.Values) (*oauth2.DeviceAuthResponse, error)

// Endpoint is the device authorization endpoint of a client.
type Endpoint struct{ ask Ask }

// New returns the Endpoint that asks by ask.
func New(ask Ask) Endpoint { return Endpoint{ask} }

// AskDeviceCode asks for a device code and a user code. A verification URI and
// a user code that must not be shown to a person are an error.
func (e Endpoint) AskDeviceCode(ctx context.Context, params url.Values) (*oauth2.DeviceAuthResponse, error) {
	return e.ask(ctx, params)
}
