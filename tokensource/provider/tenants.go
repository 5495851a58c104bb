package provider

// The case of a host makes no difference, but tokens name an issuer exactly. So
// a host is written in lower case, as servers do.
//
// The hosts below may come from outside: users of Mastodon name their server. A
// host must be a name in the public DNS, unless [InsecureLocal] is used. A
// public name can still lead to a private address.

// Entra returns the facts about Microsoft Entra ID for a tenant: its ID, one of
// its domains, or "organizations", "consumers" or "common". As with the other
// functions for tenants, the error says what is wrong with the argument.
func Entra(tenant string) (*Provider, error) {
	return filled("entra", map[string]string{"tenant": tenant})
}

// Mastodon returns the facts about a Mastodon server, such as
// "mastodon.social". It refuses addresses, and names that are not in the public
// DNS, see [InsecureLocal]. If users name the server, give oauth.New the Client
// of a discovery.Guard: it makes no connection to a private address, wherever
// the name leads to.
func Mastodon(server string) (*Provider, error) {
	return filled("mastodon", map[string]string{"server": server})
}

// GitLab returns the facts about a GitLab instance, such as
// "gitlab.example.com". Get("gitlab") is the one at gitlab.com. One in a
// private network needs [InsecureLocal]. If users name the instance, see
// [Mastodon].
func GitLab(host string) (*Provider, error) {
	return filled("gitlab", map[string]string{"host": host})
}

// Okta returns the facts about the authorization server "default" of an Okta
// organization, such as "acme.okta.com". If users name the organization, see
// [Mastodon].
func Okta(domain string) (*Provider, error) {
	return filled("okta", map[string]string{"domain": domain})
}

// Auth0 returns the facts about an Auth0 tenant, such as "acme.eu.auth0.com".
// If users name the tenant, see [Mastodon].
func Auth0(domain string) (*Provider, error) {
	return filled("auth0", map[string]string{"domain": domain})
}

// Keycloak returns the facts about a realm of a Keycloak server. The base is
// the URL of the server, such as "https://sso.example.com" or, for old
// versions, "https://sso.example.com/auth". One with http, or in a private
// network, needs [InsecureLocal].
func Keycloak(base, realm string) (*Provider, error) {
	return filled("keycloak", map[string]string{"base": base, "realm": realm})
}

// Cognito returns the facts about a user pool of Amazon Cognito. The domain is
// that of its hosted pages, such as
// "acme.auth.eu-west-1.amazoncognito.com". If users name the domain, see
// [Mastodon].
func Cognito(domain string) (*Provider, error) {
	return filled("cognito", map[string]string{"domain": domain})
}

// Shopify returns the facts about a shop, such as "acme.myshopify.com".
func Shopify(shop string) (*Provider, error) {
	return filled("shopify", map[string]string{"shop": shop})
}

// Salesforce returns the facts about a Salesforce organization by the host at
// which its users log in, such as "acme.my.salesforce.com".
// Get("salesforce") is login.salesforce.com. If users name the host, see
// [Mastodon].
func Salesforce(host string) (*Provider, error) {
	return filled("salesforce", map[string]string{"host": host})
}
