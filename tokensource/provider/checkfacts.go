package provider

import (
	"errors"
	"fmt"
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
	return checkAPI(p.API)
}

// isPath reports whether s consists of names with dots between them.
func isPath(s string) bool {
	return !slices.Contains(strings.Split(s, "."), "")
}

func checkAPI(f tokensource.APIFacts) error {
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
