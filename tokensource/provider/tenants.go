package provider

import "strings"

// Entra returns the facts about Microsoft Entra ID for a tenant: its ID, one of
// its domains, or "organizations", "consumers" or "common".
func Entra(tenant string) (*Provider, error) {
	return filled("entra", map[string]string{"tenant": tenant})
}

// The case of a host makes no difference, but tokens name an issuer exactly. So
// the functions below write hosts in lower case, as servers do.

// Mastodon returns the facts about a Mastodon server, such as
// "mastodon.social".
func Mastodon(server string) (*Provider, error) {
	return filled("mastodon", map[string]string{"server": strings.ToLower(server)})
}

// GitLab returns the facts about a GitLab instance, such as
// "gitlab.example.com". Get("gitlab") is the one at gitlab.com.
func GitLab(host string) (*Provider, error) {
	return filled("gitlab", map[string]string{"host": strings.ToLower(host)})
}

// Okta returns the facts about the authorization server "default" of an Okta
// organization, such as "acme.okta.com".
func Okta(domain string) (*Provider, error) {
	return filled("okta", map[string]string{"domain": strings.ToLower(domain)})
}

// Auth0 returns the facts about an Auth0 tenant, such as "acme.eu.auth0.com".
func Auth0(domain string) (*Provider, error) {
	return filled("auth0", map[string]string{"domain": strings.ToLower(domain)})
}

// Keycloak returns the facts about a realm of a Keycloak server. The base is
// the URL of the server, such as "https://sso.example.com" or, for old
// versions, "https://sso.example.com/auth".
func Keycloak(base, realm string) (*Provider, error) {
	return filled("keycloak", map[string]string{"base": base, "realm": realm})
}

// Cognito returns the facts about a user pool of Amazon Cognito. The domain is
// that of its hosted pages, such as
// "acme.auth.eu-west-1.amazoncognito.com".
func Cognito(domain string) (*Provider, error) {
	return filled("cognito", map[string]string{"domain": strings.ToLower(domain)})
}

// Shopify returns the facts about a shop, such as "acme.myshopify.com".
func Shopify(shop string) (*Provider, error) {
	return filled("shopify", map[string]string{"shop": strings.ToLower(shop)})
}

// Salesforce returns the facts about a Salesforce organization by the host at
// which its users log in, such as "acme.my.salesforce.com".
// Get("salesforce") is login.salesforce.com.
func Salesforce(host string) (*Provider, error) {
	return filled("salesforce", map[string]string{"host": strings.ToLower(host)})
}
