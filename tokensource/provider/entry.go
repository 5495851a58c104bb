package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider/internal/format"
)

// The functions that an entry may name.
var (
	classifiers = map[string]func(Answer) Verdict{"x": classifyX}
	parsers     = map[string]func([]byte) (Identity, error){"x": parseXIdentity}
	checkers    = map[string]func(string, bool) error{"x": checkXClient}
)

// made returns the Provider that an entry describes. Its variables are filled.
func made(e *format.Entry) (*Provider, error) {
	p := &Provider{
		Name:                   e.Name,
		AuthorizationURL:       e.Endpoints.Authorization,
		TokenURL:               e.Endpoints.Token,
		RefreshURL:             e.Endpoints.Refresh,
		RevocationURL:          e.Endpoints.Revocation,
		ClientCredentialsURL:   e.Endpoints.ClientCredentials,
		OtherEndpoints:         e.Endpoints.Other,
		DeviceAuthorizationURL: e.Endpoints.Device,
		RegistrationURL:        e.Endpoints.Registration,
		AnyLoopbackPort:        e.Redirects.AnyLoopbackPort,
		PushedAuthorizationURL: e.Endpoints.Pushed,
		JWKSURL:                e.Endpoints.JWKS,
		EndSessionURL:          e.Endpoints.EndSession,
		NoResource:             e.Authorization.NoResource,
		IDTokenIssuers:         e.Endpoints.IDTokenIssuers,
		Issuer:                 e.Endpoints.Issuer,
		IssuerRequired:         e.Endpoints.IssuerRequired,
		ClientIDInBody:         e.Client.IDInBody,
		ClientIDParam:          e.Client.IDParam,
		PublicBasic:            e.Client.PublicBasic,
		NoPublicClients:        e.Client.Public == "no",
		Scopes:                 e.Authorization.Scopes,
		ScopeSeparator:         e.Authorization.ScopeSeparator,
		RefreshScope:           e.Authorization.RefreshScope,
		AuthorizationParams:    valuesOf(e.Authorization.Params),
		Nonce:                  e.Authorization.Nonce,
		MaxState:               e.Authorization.MaxState,
		KeepCallback:           e.Callback.Keep,
		CallbackSignature:      e.Callback.Signature,
		CallbackValues:         e.Callback.Values,
		TokenHostParam:         e.Callback.TokenHost,
		TokenHosts:             e.Callback.TokenHosts,
		RevokesAll:             e.Revocation.EndsAll,
		SingleGrant:            e.Grants.Single,
	}
	p.ClientAuth = map[string]ClientAuth{"basic_raw": BasicRaw, "post": Post}[e.Client.Auth]
	p.PKCE = map[string]PKCE{"s256_hex": S256Hex, "none": NoPKCE}[e.Client.PKCE]
	p.Redirects.NoHTTP, p.Redirects.NoLocalhost = e.Redirects.NoHTTP, e.Redirects.NoLocalhost
	p.Redirects.NoLoopbackIP, p.Redirects.NoCustomScheme = e.Redirects.NoLoopbackIP, e.Redirects.NoCustomScheme
	p.tokens(e)
	p.identityOf(e.Identity)
	p.api(e.API)
	p.revocation(e.Revocation)
	return p, p.named(e.Code)
}

// tokens takes over what becomes of tokens.
func (p *Provider) tokens(e *format.Entry) {
	t := e.Token
	p.TokenParams, p.TokenHeader, p.TokenJSON = valuesOf(t.Params), headerOf(t.Headers), t.JSON
	p.TokenObject, p.KeepMembers, p.TokenSample = t.Object, t.Keep, t.Sample
	p.ExpiresIn = duration(t.ExpiresIn)
	p.ExpiryMember, p.ExpiryForm = t.ExpiryMember, t.ExpiryForm
	r := &p.RefreshTokens
	r.None = e.Refresh.None
	r.Reusable, r.Grace, r.ReuseSparesGrant = e.Refresh.Reusable, duration(e.Refresh.Grace), e.Refresh.ReuseSparesGrant
	r.EndsAccess, r.AbsentIsLost, r.ExpiryMember = e.Refresh.EndsAccess, e.Refresh.AbsentIsLost, t.RefreshExpiryMember
	r.Idle, r.Lifetime = duration(e.Refresh.Idle), duration(e.Refresh.Lifetime)
	first, next := e.Trade.First, e.Trade.Next
	p.Trade.From = duration(e.Trade.From)
	p.Trade.First = tradeRequest{first.URL, first.Method, first.TokenParam, first.Auth, valuesOf(first.Params)}
	p.Trade.Next = tradeRequest{next.URL, next.Method, next.TokenParam, next.Auth, valuesOf(next.Params)}
	fixers := map[string]Fixer{"user": UserCanFix, "time": TimeFixes, "operator": OperatorFixes}
	for _, f := range e.Refusals {
		p.Refusals = append(p.Refusals, Refusal{
			Ops: f.Ops, Status: f.Status, Where: f.Where, Fixer: fixers[f.Fixer], CodeAt: f.CodeAt, Hint: f.Hint,
		})
	}
}

func (p *Provider) identityOf(i format.Identity) {
	p.IdentityURL, p.IdentityInToken, p.IdentityScopes = i.URL, i.InToken, i.Scopes
	p.IdentityRequest.Method, p.IdentityRequest.Header, p.IdentityRequest.Body = i.Method, headerOf(i.Headers), i.Body
	paths := &p.IdentityPaths
	paths.Subject, paths.Claims = i.Subject, i.Claims
	paths.Username, paths.Name, paths.Picture = i.Username, i.Name, i.Picture
}

func (p *Provider) api(a format.API) {
	p.APIOrigins, p.GrantOrigins = a.Origins, a.GrantOrigins
	p.API = tokensource.APIFacts{
		RejectedStatuses: a.Rejected, LimitStatuses: a.LimitStatuses,
		Headers: a.Headers, TokenHeader: a.TokenHeader, TokenScheme: a.TokenScheme,
	}
	for _, answer := range a.Answers {
		p.API.Answers = append(p.API.Answers, tokensource.APIAnswer(answer))
	}
	for _, l := range a.Limits {
		p.API.LimitHeaders = append(p.API.LimitHeaders, tokensource.LimitHeaders{
			Limit: l.Limit, Remaining: l.Remaining, Reset: l.Reset, ResetAfter: l.After,
		})
	}
}

func (p *Provider) revocation(r format.Revocation) {
	to := &p.Revocation
	to.Method, to.TokenParam, to.Params = r.Method, r.TokenParam, valuesOf(r.Params)
	to.JSON, to.NoHint, to.Only = r.JSON, r.NoHint, r.Only
	if r.Auth != "client" {
		to.Auth = r.Auth
	}
}

// named looks up the functions that the entry names.
func (p *Provider) named(c format.Code) error {
	var found [3]bool
	p.Classify, found[0] = classifiers[c.Classify]
	p.ParseIdentity, found[1] = parsers[c.ParseIdentity]
	p.CheckClient, found[2] = checkers[c.CheckClient]
	for i, name := range []string{c.Classify, c.ParseIdentity, c.CheckClient} {
		if name != "" && !found[i] {
			return fmt.Errorf(`"code": there is no function %q`, name)
		}
	}
	return nil
}

func valuesOf(m map[string]string) url.Values {
	if m == nil {
		return nil
	}
	v := url.Values{}
	for name, value := range m {
		v.Set(name, value)
	}
	return v
}

func headerOf(m map[string]string) http.Header {
	if m == nil {
		return nil
	}
	h := http.Header{}
	for name, value := range m {
		h.Set(name, value)
	}
	return h
}

// duration reads what package format has checked.
func duration(s string) time.Duration {
	d, err := format.Duration(s)
	if err != nil {
		return 0
	}
	return d
}
