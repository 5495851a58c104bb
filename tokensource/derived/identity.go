package derived

import (
	"cmp"
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// An IdentityAssertion says where the assertion about a user comes from, which
// another authorization server trusts (Identity Assertion JWT Authorization
// Grant, a draft of the OAuth working group; "cross-app access").
type IdentityAssertion struct {
	// Provider is the identity provider of the user's organization, App is the app
	// there, and Options are for the client there. Nil Options mean all defaults.
	// Options.Proofs has no effect there, because no API takes the assertion.
	Provider *provider.Provider
	App      AppCredentials
	Options  *oauth.Options

	// Subject supplies what says who the user is at the identity provider. An
	// empty Type means TypeIDToken.
	Subject Traded

	// Audience is the authorization server that the assertion is for. Empty means
	// the Authority of its provider: the issuer.
	Audience string

	// Resource is the API that the token will be for, at that server. Empty means
	// that none is named to the identity provider.
	Resource string
}

// NewIdentitySource returns the source of tokens that p issues because it
// trusts the identity provider of the user: a token exchange there ([RFC
// 8693]), and a JWT bearer grant at p ([RFC 7523]). The user does not have to
// log in at p. Both answers are kept in memory. If an API rejects a token, both
// steps are taken again. The options are those of the client at p; nil means
// all defaults.
//
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
func NewIdentitySource(p *provider.Provider, a AppCredentials, x IdentityAssertion, o *oauth.Options) (*Source, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if x.Provider == nil {
		return nil, errors.New("derived: IdentityAssertion needs the Provider of the identity provider")
	}
	if err := a.checkID(); err != nil {
		return nil, err
	}
	below, err := x.source(cmp.Or(x.Audience, p.Authority()))
	if err != nil {
		return nil, err
	}
	client, err := a.client(p, o)
	if err != nil {
		return nil, err
	}
	return newSource(client, below, nil, func(ctx context.Context, c *oauth.Client, assertion *oauth2.Token) (*oauth2.Token, error) {
		return c.ExtensionGrant(ctx, jwtBearer, a.form(url.Values{"assertion": {assertion.AccessToken}}))
	}), nil
}

// source returns the source of assertions for an audience.
func (x IdentityAssertion) source(audience string) (*Source, error) {
	x.Subject.Type = cmp.Or(x.Subject.Type, TypeIDToken)
	app := x.App
	app.Params = app.form(url.Values{"audience": {audience}})
	if x.Resource != "" {
		app.Resources = []string{x.Resource}
	}
	var options oauth.Options
	if x.Options != nil {
		options = *x.Options
	}
	options.Proofs = nil
	return NewExchangeSource(x.Provider, app, Exchange{Subject: x.Subject, RequestedType: typeIDJAG, issued: typeIDJAG}, &options)
}
