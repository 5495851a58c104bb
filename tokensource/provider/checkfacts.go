package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
)

// ownParams are parameters of an authorization request that package oauth sets.
var ownParams = []string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
	"request", "request_uri", "dpop_jkt",
}

// checkFacts returns an error that says which fact about requests and answers
// cannot be right.
func (p *Provider) checkFacts() error {
	if strings.Trim(p.ScopeSeparator, " ,;|+\t") != "" {
		return fmt.Errorf("ScopeSeparator %q: use a space or a sign of punctuation, such as %q", p.ScopeSeparator, ",")
	}
	for name := range p.AuthorizationParams {
		if name == "" || slices.Contains(ownParams, name) {
			return fmt.Errorf("AuthorizationParams: %q is set for each login and cannot be fixed", name)
		}
	}
	if !isPath(p.TokenObject) && p.TokenObject != "" {
		return fmt.Errorf("TokenObject %q is no path: write names with dots between them, such as %q", p.TokenObject, "data.0")
	}
	for _, path := range p.KeepMembers {
		if !isPath(path) {
			return fmt.Errorf("KeepMembers: %q is no path: write names with dots between them, such as %q", path, "team.id")
		}
		if path == "access_token" || path == "refresh_token" {
			return fmt.Errorf("KeepMembers: %s is stored as what it is", path)
		}
	}
	for _, name := range append(slices.Collect(maps.Keys(p.CallbackValues)), p.CallbackSignature) {
		if slices.Contains([]string{"code", "state", "iss", "error"}, name) || name == "" && p.CallbackValues[name] != "" {
			return fmt.Errorf("CallbackSignature and CallbackValues: %q has a meaning of its own", name)
		}
	}
	for _, issuer := range p.IDTokenIssuers {
		if before, after, _ := strings.Cut(issuer, "{tenantid}"); issuer == "" || strings.ContainsAny(before+after, "{}") {
			return fmt.Errorf("IDTokenIssuers: %q is no issuer: write it as ID tokens have it, with {tenantid} where the tenant is", issuer)
		}
	}
	for _, s := range p.IdentityScopes {
		if s == "" || len(p.Scopes) > 0 && !slices.Contains(p.Scopes, s) {
			return fmt.Errorf("IdentityScopes: %q is not one of Scopes", s)
		}
	}
	for _, check := range []func() error{p.checkToken, p.checkRefusals, p.checkRevocation, p.checkTrade, p.checkHosts} {
		if err := check(); err != nil {
			return err
		}
	}
	return checkAPI(p.API)
}

// checkIdentity checks how a client learns who the user is.
func (p *Provider) checkIdentity() error {
	paths := len(p.IdentityPaths.Subject) > 0
	switch {
	case (p.IdentityURL == "") != (p.ParseIdentity == nil) && !paths:
		return errors.New("set both IdentityURL and ParseIdentity (or IdentityPaths), or neither")
	case p.IdentityInToken && !paths:
		return errors.New("IdentityInToken is set without IdentityPaths.Subject")
	}
	list := append([]string{p.IdentityPaths.Username, p.IdentityPaths.Name, p.IdentityPaths.Picture}, p.IdentityPaths.Subject...)
	for _, path := range slices.AppendSeq(list, maps.Values(p.IdentityPaths.Claims)) {
		if path != "" && !isPath(path) {
			return fmt.Errorf("IdentityPaths: %q is no path: write names with dots between them, such as %q", path, "data.0.id")
		}
	}
	return checkHeaders("IdentityRequest.Header", slices.Collect(maps.Keys(p.IdentityRequest.Header)))
}

// checkToken checks what is added to token requests, and how their answers are
// read.
func (p *Provider) checkToken() error {
	for name := range p.TokenParams {
		if name == "" || slices.Contains(tokenParams, name) {
			return fmt.Errorf("TokenParams: %q is set for each request and cannot be fixed", name)
		}
	}
	switch {
	case (p.ExpiryMember == "") != (p.ExpiryForm == ""):
		return errors.New("set both ExpiryMember and ExpiryForm, or neither")
	case p.ExpiryForm != "" && !slices.Contains([]string{"rfc3339", "unix", "jwt"}, p.ExpiryForm):
		return fmt.Errorf("ExpiryForm %q is unknown: use rfc3339, unix or jwt", p.ExpiryForm)
	case p.RefreshTokens.Idle < 0 || p.RefreshTokens.Lifetime < 0 || p.RefreshTokens.Grace < 0:
		return errors.New("RefreshTokens: a duration is negative")
	}
	return checkHeaders("TokenHeader", slices.Collect(maps.Keys(p.TokenHeader)))
}

// tokenParams are parameters of a token request that package oauth sets.
var tokenParams = []string{
	"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "client_id", "client_secret", "token",
	"client_assertion", "client_assertion_type",
}

// checkHeaders refuses headers that belong to the credential, or to the
// connection.
func checkHeaders(field string, names []string) error {
	for _, name := range names {
		switch http.CanonicalHeaderKey(name) {
		case "", "Authorization", "Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Dpop":
			return fmt.Errorf("%s: %q cannot be a fixed header", field, name)
		}
	}
	return nil
}

func (p *Provider) checkRefusals() error {
	for _, r := range p.Refusals {
		if r.Fixer < UserCanFix || r.Fixer > OperatorFixes || r.Status == 0 && len(r.Where) == 0 {
			return errors.New("each of Refusals needs a Fixer, and a Status or members in Where")
		}
	}
	return nil
}

func (p *Provider) checkRevocation() error {
	r := p.Revocation
	switch {
	case !slices.Contains([]string{"", http.MethodPost, http.MethodGet, http.MethodDelete}, r.Method):
		return fmt.Errorf("Revocation.Method %q is unknown: use POST, GET or DELETE", r.Method)
	case !slices.Contains([]string{"", "basic", "id", "none", "token"}, r.Auth):
		return fmt.Errorf("Revocation.Auth %q is unknown: use basic, id, none or token", r.Auth)
	case !slices.Contains([]string{"", "access_token", "refresh_token"}, r.Only):
		return fmt.Errorf("Revocation.Only %q is unknown: use access_token or refresh_token", r.Only)
	case r.Method == http.MethodGet && r.Auth != "token":
		return errors.New("Revocation.Method GET needs Auth token: a token must not be in a URL")
	}
	return nil
}

// checkHosts checks the hosts that a user's answer can name.
func (p *Provider) checkHosts() error {
	if (p.TokenHostParam == "") != (len(p.TokenHosts) == 0) {
		return errors.New("set both TokenHostParam and TokenHosts, or neither")
	}
	for _, origin := range p.TokenHosts {
		if err := p.checkOrigin(origin); err != nil {
			return fmt.Errorf("TokenHosts: %w", err)
		}
	}
	for member, hosts := range p.GrantOrigins {
		if !slices.Contains(p.KeepMembers, member) && !slices.Contains(p.KeepCallback, member) {
			return fmt.Errorf("GrantOrigins: %q is neither in KeepMembers nor in KeepCallback", member)
		}
		for _, host := range hosts {
			name := strings.TrimPrefix(host, "*.")
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" || !strings.Contains(name, ".") {
				return fmt.Errorf("GrantOrigins: %q is no host: write a name in lower case, such as %q", host, "*.example.com")
			}
		}
	}
	return nil
}

// isPath reports whether s consists of names with dots between them.
func isPath(s string) bool {
	return !slices.Contains(strings.Split(s, "."), "")
}

func checkAPI(f tokensource.APIFacts) error {
	if err := checkHeaders("API.Headers", slices.Collect(maps.Keys(f.Headers))); err != nil {
		return err
	}
	for _, a := range f.Answers {
		if a.Status < 200 || a.Status > 499 || a.Status == 429 {
			return fmt.Errorf("API.Answers: %d says nothing about a token", a.Status)
		}
	}
	for _, status := range f.RejectedStatuses {
		if status < 400 || status > 499 || status == 429 {
			return fmt.Errorf("API.RejectedStatuses: %d cannot mean that a token is rejected", status)
		}
	}
	for _, status := range f.LimitStatuses {
		if status < 400 || status > 599 {
			return fmt.Errorf("API.LimitStatuses: %d cannot mean that a limit is exhausted", status)
		}
	}
	for _, h := range f.LimitHeaders {
		if h.Reset == "" {
			return errors.New("API.LimitHeaders: Reset is missing: name the header that says when the window ends")
		}
	}
	return nil
}
