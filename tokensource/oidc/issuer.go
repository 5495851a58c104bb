package oidc

import "strings"

// tenantID stands for the tenant in an issuer.
const tenantID = "{tenantid}"

// issuer is an issuer that tokens may name, in parts.
type issuer struct {
	text      string // whole, or in front of the tenant
	tenants   bool
	afterward string // behind the tenant
}

func newIssuer(text string) issuer {
	before, after, found := strings.Cut(text, tenantID)
	return issuer{before, found, after}
}

// match reports whether iss is this issuer, and for which tenant. Without
// tenants that is a comparison of strings.
func (i issuer) match(iss string) (tenant string, ok bool) {
	if !i.tenants {
		return "", iss == i.text
	}
	rest, begins := strings.CutPrefix(iss, i.text)
	tenant, ends := strings.CutSuffix(rest, i.afterward)
	return tenant, begins && ends && isTenant(tenant)
}

// isTenant reports whether s can be a tenant. It has no character that divides
// a URL, so that no other path or host passes for a tenant.
func isTenant(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s != "" && len(s) <= 128 && strings.Trim(s, allowed) == ""
}

// issuerOf returns the tenant of an issuer that tokens may name.
func (v *Verifier) issuerOf(iss string) (tenant string, ok bool) {
	for _, i := range v.issuers {
		if tenant, ok := i.match(iss); ok {
			return tenant, true
		}
	}
	return "", false
}

// subjectOf returns the user of a token as the app knows the user. Two tenants
// may name two users alike.
func subjectOf(tenant, sub string) string {
	if tenant == "" {
		return sub
	}
	return tenant + ":" + sub
}
