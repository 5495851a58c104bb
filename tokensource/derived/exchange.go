package derived

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The types of tokens that can be exchanged ([RFC 8693] section 3).
//
// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
const (
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	TypeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	TypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

const (
	typeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token"
	typeSAML2        = "urn:ietf:params:oauth:token-type:saml2"
	typeIDJAG        = "urn:ietf:params:oauth:token-type:id-jag"
)

// A Traded is a token that is given in an exchange. Set Source or Assertion.
type Traded struct {
	// Source supplies the token. If it has the tokens of many users, as a
	// grant.Keeper has, the context of each call says whose token is wanted.
	Source tokensource.Source

	// Assertion supplies the token of the app or of a workload.
	Assertion Assertion

	// Type is the type of the token. Empty means TypeAccessToken for a Source, and
	// TypeJWT for an Assertion. With TypeIDToken, a Source supplies the member
	// "id_token" of its token: name it in KeepMembers of the provider, so that
	// grants keep it.
	Type string
}

// checked returns t with its type. The name of the field is for an error.
func (t Traded) checked(field string) (Traded, error) {
	if isnil.Value(t.Source) == (t.Assertion == nil) {
		return t, errors.New("derived: " + field + " needs a Source or an Assertion, and not both")
	}
	switch {
	case t.Type != "":
	case t.Assertion != nil:
		t.Type = TypeJWT
	default:
		t.Type = TypeAccessToken
	}
	return t, nil
}

// text returns the token to send. Tok is what Source has supplied.
func (t Traded) text(ctx context.Context, tok *oauth2.Token) (string, error) {
	if t.Assertion != nil {
		return t.Assertion.read(ctx, "token_exchange")
	}
	if t.Type != TypeIDToken {
		return tok.AccessToken, nil
	}
	id, _ := tok.Extra("id_token").(string)
	if id == "" {
		return "", errors.New("derived: the token of the source came without an ID token: " +
			"ask for the scope openid, and name id_token in KeepMembers of its provider")
	}
	return id, nil
}

// An Exchange says what is exchanged for what ([RFC 8693] section 2.1). Scopes,
// resources and the parameter "audience" are in [AppCredentials].
//
// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
type Exchange struct {
	Subject Traded // for whom the new token is

	// Actor is who acts for the subject. The zero value means the app itself,
	// without a token that says so.
	Actor Traded

	// RequestedType is the type of token to ask for. Empty means that the server
	// chooses, which is an access token everywhere.
	RequestedType string

	issued string // the type that must come; empty means one that an API takes
}

// NewExchangeSource returns the source of tokens that the tokens of another one
// are exchanged for at p ([RFC 8693]). They are kept for each token that was
// exchanged, and for each token of an actor, in memory. If an API rejects one
// of them, the source below renews its token once, and the new one is
// exchanged.
//
// The app may be without a Credential, and without an ID too if the server
// takes that. The options are those of oauth.New; nil means all defaults.
//
// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
func NewExchangeSource(p *provider.Provider, a AppCredentials, x Exchange, o *oauth.Options) (*Source, error) {
	var err error
	if x.Subject, err = x.Subject.checked("Exchange.Subject"); err != nil {
		return nil, err
	}
	acting := !isnil.Value(x.Actor.Source) || x.Actor.Assertion != nil
	if acting {
		if x.Actor, err = x.Actor.checked("Exchange.Actor"); err != nil {
			return nil, err
		}
	}
	client, err := a.anonymous().client(p, o)
	if err != nil {
		return nil, err
	}
	var parent, actor tokensource.Source
	if x.Subject.Assertion == nil {
		parent = x.Subject.Source
	}
	if acting && x.Actor.Assertion == nil {
		actor = x.Actor.Source
	}
	return newSource(client, parent, actor, func(ctx context.Context, c *oauth.Client, tok *oauth2.Token) (*oauth2.Token, error) {
		form, err := x.form(ctx, tok, acting)
		if err != nil {
			return nil, err
		}
		issued, err := c.ExtensionGrant(ctx, tokenExchange, a.form(form))
		if err != nil {
			return nil, err
		}
		return issued, x.checkIssued(issued)
	}), nil
}

// form returns the parameters of an exchange.
func (x Exchange) form(ctx context.Context, tok *oauth2.Token, acting bool) (url.Values, error) {
	subject, err := x.Subject.text(ctx, tok)
	if err != nil {
		return nil, err
	}
	form := url.Values{"subject_token": {subject}, "subject_token_type": {x.Subject.Type}}
	if x.RequestedType != "" {
		form.Set("requested_token_type", x.RequestedType)
	}
	if !acting {
		return form, nil
	}
	var actor *oauth2.Token
	if x.Actor.Assertion == nil {
		if actor, err = tokenOf(ctx, x.Actor.Source); err != nil {
			return nil, err
		}
	}
	text, err := x.Actor.text(ctx, actor)
	if err != nil {
		return nil, err
	}
	form.Set("actor_token", text)
	form.Set("actor_token_type", x.Actor.Type)
	return form, nil
}

// notForAPIs are types of tokens that no API takes.
var notForAPIs = []string{typeRefreshToken, TypeIDToken, typeIDJAG, typeSAML2}

// checkIssued refuses a token of another type than the one that is needed (RFC
// 8693 section 2.2.1). A server that does not name the type has issued what it
// was asked for.
func (x Exchange) checkIssued(tok *oauth2.Token) error {
	text := func(name string) string {
		s, _ := tok.Extra(name).(string)
		return strings.TrimSpace(s)
	}
	issued := text("issued_token_type")
	wrong := issued != x.issued
	if x.issued == "" {
		wrong = slices.Contains(notForAPIs, issued) || strings.EqualFold(text("token_type"), "N_A")
	}
	if !wrong || issued == "" && x.issued != "" {
		return nil
	}
	return &tokensource.Error{
		Op: "token_exchange", Kind: tokensource.ErrClient,
		Err:  errors.New("the server issued a token of another type than the one that is needed"),
		Hint: "check the type that was requested, and what the server allows this client",
	}
}
