package format

import "encoding/json"

// file is a data file.
type file struct {
	// Schema is the address of the schema, for editors.
	Schema string `json:"$schema,omitempty"`

	// Providers are the entries.
	Providers []json.RawMessage `json:"providers"`
}

// Entry holds the facts about one authorization server and its API. A group
// that is missing means that the server follows the RFCs. A fact that nobody
// has read in a source is absent.
//
// A text in braces, such as "{tenant}", is the place of a variable of Vars.
type Entry struct {
	// Name is short and never changes: lower-case letters, digits, hyphens.
	Name string `json:"name"`

	// Title is the name that people know.
	Title string `json:"title"`

	// Checked is the day on which somebody last compared the entry with its
	// sources, such as "2026-11-26".
	Checked string `json:"checked"`

	// Function is the call of package provider that makes this entry, if a
	// variable has no default, such as "provider.Entra(tenant)". Only entries of
	// authtrip itself have one.
	Function string `json:"function,omitempty"`

	// Vars are the variables in the texts of the entry, by name.
	Vars map[string]Var `json:"vars,omitempty"`

	// Endpoints are the addresses of the authorization server.
	Endpoints Endpoints `json:"endpoints"`

	// Client is what the server wants of a client.
	Client Client `json:"client,omitzero"`

	// Redirects are the rules for redirect URLs.
	Redirects Redirects `json:"redirects,omitzero"`

	// Authorization is what an authorization request needs.
	Authorization Authorization `json:"authorization,omitzero"`

	// Callback is what the authorization response brings.
	Callback Callback `json:"callback,omitzero"`

	// Token is how a token request and its answer differ from the RFC.
	Token Token `json:"token,omitzero"`

	// Refresh is what becomes of refresh tokens.
	Refresh Refresh `json:"refresh,omitzero"`

	// Trade is how an access token is traded for the next one, at servers without
	// refresh tokens.
	Trade trade `json:"trade,omitzero"`

	// Refusals are answers that report a failure in other words than RFC 6749.
	// The first one that matches counts.
	Refusals []Refusal `json:"refusals,omitempty"`

	// Identity is how a client learns who the user is.
	Identity Identity `json:"identity,omitzero"`

	// API is how the resource servers are called, and how they answer.
	API API `json:"api,omitzero"`

	// Revocation is how a token is revoked, and what ends with it.
	Revocation Revocation `json:"revocation,omitzero"`

	// Grants says how many grants one user can have.
	Grants Grants `json:"grants,omitzero"`

	// Code names functions of package provider, for what no data can express.
	Code Code `json:"code,omitzero"`

	// Notes are sentences for people who set up an app at this server.
	Notes []string `json:"notes,omitempty"`

	// Sources say where the facts of each group were read.
	Sources []Source `json:"sources"`

	raw json.RawMessage
}

// Var is a variable, such as the name of a tenant.
type Var struct {
	// Pattern is a regular expression that the whole value must match.
	Pattern string `json:"pattern"`

	// Default is the value if none is given. Empty means that one is required.
	Default string `json:"default,omitempty"`

	// Example is a value for documentation and tests.
	Example string `json:"example"`

	// About says in a few words what the value is.
	About string `json:"about"`
}

// Endpoints are addresses of an authorization server.
type Endpoints struct {
	// Authorization and Token are the endpoints of RFC 6749 section 3.
	Authorization string `json:"authorization"`
	Token         string `json:"token"`

	// Refresh is where a refresh token is redeemed. Empty means Token.
	Refresh string `json:"refresh,omitempty"`

	// Revocation is where a token is revoked.
	Revocation string `json:"revocation,omitempty"`

	// ClientCredentials is where an app asks for its own token. Empty means
	// Token.
	ClientCredentials string `json:"client_credentials,omitempty"`

	// Device is the device authorization endpoint of RFC 8628.
	Device string `json:"device,omitempty"`

	// Pushed is the pushed authorization request endpoint of RFC 9126.
	Pushed string `json:"pushed,omitempty"`

	// Registration is the client registration endpoint of RFC 7591.
	Registration string `json:"registration,omitempty"`

	// JWKS is where the keys of the server's ID tokens are.
	JWKS string `json:"jwks,omitempty"`

	// EndSession is the endpoint of OpenID Connect RP-Initiated Logout.
	EndSession string `json:"end_session,omitempty"`

	// Issuer is the issuer identifier.
	Issuer string `json:"issuer,omitempty"`

	// IDTokenIssuers are the issuers of ID tokens, if they are others than
	// Issuer.
	IDTokenIssuers []string `json:"id_token_issuers,omitempty"`

	// IssuerRequired says that each authorization response has iss (RFC 9207).
	IssuerRequired bool `json:"issuer_required,omitempty"`

	// Other are further endpoints that must never get a user's token.
	Other []string `json:"other,omitempty"`
}

// Client is what a server wants of a client.
type Client struct {
	// Auth is how a confidential client authenticates: "basic", "basic_raw"
	// (without form-encoding) or "post". Empty means "basic".
	Auth string `json:"auth,omitempty" enum:"basic basic_raw post"`

	// IDInBody sends client_id in the body as well.
	IDInBody bool `json:"id_in_body,omitempty"`

	// IDParam is the name of the parameter with the client ID. Empty means
	// client_id.
	IDParam string `json:"id_param,omitempty"`

	// Public says whether a client without any credential can log users in:
	// "yes" or "no". Empty means that it is not known.
	Public string `json:"public,omitempty" enum:"yes no"`

	// PublicBasic sends the ID of a public client by Basic with an empty
	// password.
	PublicBasic bool `json:"public_basic,omitempty"`

	// PKCE is the form of the code challenge: "s256", "s256_hex" or "none".
	// Empty means "s256".
	PKCE string `json:"pkce,omitempty" enum:"s256 s256_hex none"`
}

// Redirects are rules for redirect URLs.
type Redirects struct {
	// NoHTTP refuses http, also on loopback addresses.
	NoHTTP bool `json:"no_http,omitempty"`

	// NoLocalhost refuses the name localhost.
	NoLocalhost bool `json:"no_localhost,omitempty"`

	// NoLoopbackIP refuses loopback addresses that are numbers.
	NoLoopbackIP bool `json:"no_loopback_ip,omitempty"`

	// AnyLoopbackPort accepts a registered redirect URL on a loopback address
	// with any port.
	AnyLoopbackPort bool `json:"any_loopback_port,omitempty"`

	// NoCustomScheme refuses schemes other than https and http.
	NoCustomScheme bool `json:"no_custom_scheme,omitempty"`
}

// Authorization is what an authorization request needs.
type Authorization struct {
	// Params are parameters of every authorization request. A login can
	// override them.
	Params map[string]string `json:"params,omitempty"`

	// ScopeSeparator stands between scopes in a request. Empty means a space.
	ScopeSeparator string `json:"scope_separator,omitempty"`

	// RefreshScope is the scope without which there is no refresh token.
	RefreshScope string `json:"refresh_scope,omitempty"`

	// NoResource says that the server refuses the parameter resource of RFC 8707.
	NoResource bool `json:"no_resource,omitempty"`

	// Nonce says that the server refuses a request without a nonce.
	Nonce bool `json:"nonce,omitempty"`

	// MaxState is the longest state in characters. Zero means no limit.
	MaxState int `json:"max_state,omitempty"`

	// Scopes are all scopes of the server. Empty means that they are not listed
	// here, and any scope can be asked for.
	Scopes []string `json:"scopes,omitempty"`
}

// Callback is what the authorization response brings.
type Callback struct {
	// Keep are parameters that are stored with the grant, such as realmId.
	Keep []string `json:"keep,omitempty"`

	// TokenHost is the parameter that names the server which redeems the code,
	// and TokenHosts are the only values that are accepted.
	TokenHost  string   `json:"token_host,omitempty"`
	TokenHosts []string `json:"token_hosts,omitempty"`
}
