package derived

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// AppCredentials are what an app authenticates with for itself, and what it
// asks for. At X, ID and Credential of an app's own token are the API key and
// the API key secret, and not the OAuth 2.0 client ID and its secret.
type AppCredentials struct {
	ID         string
	Credential oauth.Credential // such as oauth.Secret, or the private_key_jwt of package jose
	Scopes     []string         // what to ask for; empty means that the server chooses

	// Resources name the APIs that the token is for ([RFC 8707]).
	//
	// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
	Resources []string

	// Params are further parameters of the token request, such as "audience",
	// which some servers want in place of a resource.
	Params url.Values
}

// unusedRedirect is for the one required field of a Registration that these
// grants do not use.
const unusedRedirect = "https://unused.invalid/"

// client returns the client that asks for tokens at p.
func (a AppCredentials) client(p *provider.Provider, o *oauth.Options) (*oauth.Client, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	for name := range a.Params {
		if slices.Contains(set, name) {
			return nil, fmt.Errorf("derived: parameter %q is set by the source and cannot be given", name)
		}
	}
	p = p.Clone()
	p.CheckClient, p.Scopes, p.ClientIDInBody = nil, nil, false // facts about the client that users authorize
	return oauth.New(p, oauth.Registration{
		ClientID: a.ID, Credential: a.Credential, RedirectURL: unusedRedirect, Scopes: a.Scopes, Resources: a.Resources,
	}, o)
}

// set are parameters that only a source sets.
var set = []string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "resource", "assertion",
	"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type",
}

// form returns the parameters of a token request.
func (a AppCredentials) form(more url.Values) url.Values {
	form := url.Values{}
	maps.Copy(form, a.Params)
	maps.Copy(form, more)
	return form
}

// checkID refuses an app without a name.
func (a AppCredentials) checkID() error {
	if a.ID == "" || !ascii.Text(a.ID) {
		return errors.New("derived: AppCredentials need an ID without line breaks, and without spaces at its ends: at X, the API key")
	}
	return nil
}

// NewAppSource returns the source of an app's own token at p ([RFC 6749]
// section 4.4). It needs a Credential. The options are those of oauth.New; nil
// means all defaults. It refuses settings that cannot work, with an error that
// says what to do.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func NewAppSource(p *provider.Provider, a AppCredentials, o *oauth.Options) (*Source, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := a.checkID(); err != nil {
		return nil, err
	}
	if a.Credential.IsZero() {
		return nil, errors.New("derived: AppCredentials need a Credential: at X, oauth.Secret of the API key secret")
	}
	client, err := a.client(p, with(o, a.Params))
	if err != nil {
		return nil, err
	}
	return newSource(client, nil, nil, func(ctx context.Context, c *oauth.Client, _ *oauth2.Token) (*oauth2.Token, error) {
		return c.ClientCredentials(ctx)
	}), nil
}

// with returns options that add params to each request.
func with(o *oauth.Options, params url.Values) *oauth.Options {
	if len(params) == 0 {
		return o
	}
	var all oauth.Options
	if o != nil {
		all = *o
	}
	prepare := all.Prepare
	all.Prepare = func(ctx context.Context, r *oauth.TokenRequest) error {
		for name, values := range params {
			r.Form()[name] = slices.Clone(values)
		}
		if prepare == nil {
			return nil
		}
		return prepare(ctx, r)
	}
	return &all
}
