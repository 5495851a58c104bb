package registration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/loopback"
)

// Metadata say what an app is ([RFC 7591] section 2). Only RedirectURLs are
// required. They contain no secret.
//
// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
type Metadata struct {
	// RedirectURLs are the redirect URIs. The first is the one that
	// Registered.Registration uses. Required.
	RedirectURLs []string `json:"redirect_uris"`

	// Name is shown to users when they authorize the app.
	Name string `json:"client_name,omitempty"`

	// Pages for users, https each.
	URL       string `json:"client_uri,omitempty"`
	LogoURL   string `json:"logo_uri,omitempty"`
	PolicyURL string `json:"policy_uri,omitempty"`
	TermsURL  string `json:"tos_uri,omitempty"`

	// Contacts are e-mail addresses of people who are responsible.
	Contacts []string `json:"contacts,omitempty"`

	// Scopes are what the app may ask for. Empty means that the server decides.
	Scopes []string `json:"-"`

	// GrantTypes are what the app uses. Nil means authorization_code and
	// refresh_token.
	GrantTypes []string `json:"grant_types"`

	// ApplicationType is "web" or "native". Empty means native if every
	// redirect URL is on loopback or has a private-use scheme, and web if none
	// is.
	ApplicationType string `json:"application_type"`

	// TokenAuthMethod is how the app authenticates, such as "none" or
	// "private_key_jwt". Empty means none for a native app. Otherwise it means
	// a secret that the server makes, sent as Provider.ClientAuth says. With a
	// method that needs a key, set Options.Credential.
	TokenAuthMethod string `json:"token_endpoint_auth_method"`

	// TokenAuthAlgorithm is that of signed assertions, such as "ES256".
	TokenAuthAlgorithm string `json:"token_endpoint_auth_signing_alg,omitempty"`

	// Keys are the app's public keys, or where they are; at most one of both.
	// A jose.KeySet makes them.
	Keys    json.Marshaler `json:"-"`
	KeysURL string         `json:"jwks_uri,omitempty"`

	// DPoPBound says that all access tokens must be bound to a key ([RFC 9449]
	// section 5.2).
	//
	// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`

	// SoftwareID and SoftwareVersion name the program, as opposed to the one
	// installation of it.
	SoftwareID      string `json:"software_id,omitempty"`
	SoftwareVersion string `json:"software_version,omitempty"`

	// Extra are further members. They do not replace those above.
	Extra map[string]any `json:"-"`
}

// Methods of authentication that need a secret of the server.
const (
	methodNone  = "none"
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodJWT   = "client_secret_jwt"
)

// resolve returns m with every default filled in, or an error that says what to
// do. The method is that for an app of type web.
func (m Metadata) resolve(method string) (Metadata, error) {
	if len(m.RedirectURLs) == 0 {
		return m, errors.New("registration: Metadata.RedirectURLs are empty: name the callback URLs of the app")
	}
	native := 0
	for _, raw := range m.RedirectURLs {
		is, err := isNative(raw)
		if err != nil {
			return m, fmt.Errorf("registration: RedirectURLs: %q %w", raw, err)
		}
		if is {
			native++
		}
	}
	switch {
	case m.ApplicationType != "" && m.ApplicationType != "web" && m.ApplicationType != "native":
		return m, fmt.Errorf("registration: ApplicationType %q: use web or native", m.ApplicationType)
	case m.ApplicationType == "" && native != 0 && native != len(m.RedirectURLs):
		return m, errors.New("registration: some RedirectURLs are those of a native app and some are not: set ApplicationType")
	case m.ApplicationType == "" && native != 0:
		m.ApplicationType = "native"
	case m.ApplicationType == "":
		m.ApplicationType = "web"
	}
	if m.GrantTypes == nil {
		m.GrantTypes = []string{"authorization_code", "refresh_token"}
	}
	if m.TokenAuthMethod == "" && m.ApplicationType == "native" {
		m.TokenAuthMethod = methodNone
	}
	if m.TokenAuthMethod == "" {
		m.TokenAuthMethod = method
	}
	return m, m.check()
}

// check refuses what no server can accept.
func (m Metadata) check() error {
	for name, raw := range map[string]string{"URL": m.URL, "LogoURL": m.LogoURL, "PolicyURL": m.PolicyURL, "TermsURL": m.TermsURL, "KeysURL": m.KeysURL} {
		if u, err := url.Parse(raw); raw != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || !ascii.Visible(raw)) {
			return fmt.Errorf("registration: %s %q is not an https URL", name, raw)
		}
	}
	if m.Keys != nil && m.KeysURL != "" {
		return errors.New("registration: set Keys or KeysURL, not both (RFC 7591 section 2)")
	}
	for _, s := range m.Scopes {
		if s == "" || !ascii.Visible(s) || strings.ContainsAny(s, `"\`) {
			return fmt.Errorf("registration: scope %q is not a scope (RFC 6749 section 3.3)", s)
		}
	}
	return nil
}

// isNative reports whether a redirect URL is that of an app on the device of
// its user ([RFC 8252] section 7).
//
// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
func isNative(raw string) (bool, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs() || !ascii.Visible(raw):
		return false, errors.New("is not an absolute URL")
	case strings.Contains(raw, "#"):
		return false, errors.New("has a fragment")
	case u.Scheme == "https" && u.Host != "":
		return false, nil
	case u.Scheme == "http" && loopback.Site(u.Hostname()):
		return true, nil
	case u.Scheme == "http":
		return false, errors.New("is http on a public host: everybody on the way could read the code, use https")
	case strings.Contains(u.Scheme, "."):
		return true, nil
	}
	return false, fmt.Errorf("has scheme %q: use https, http on loopback, or a domain name in reverse", u.Scheme)
}

// Document returns the JSON of m as the client ID metadata document of
// clientID, or as a request to register if clientID is empty. Members of Extra
// do not replace others.
//
// A client ID is an https URL with a path, and without a fragment, a user name
// or segments that lead upwards. The document is that of a public client, or of
// one with keys: a secret that the app serves is none. The error says which of
// these rules is broken.
func (m Metadata) Document(clientID string) ([]byte, error) {
	m, err := m.resolve(methodNone)
	if err != nil {
		return nil, err
	}
	if clientID != "" {
		if err := m.checkDocument(clientID); err != nil {
			return nil, err
		}
	}
	return m.encode(clientID)
}

// encode returns the JSON of resolved metadata.
func (m Metadata) encode(clientID string) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, errors.New("registration: the Metadata cannot be written as JSON")
	}
	all := map[string]any{}
	maps.Copy(all, m.Extra)
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, errors.New("registration: the Metadata cannot be written as JSON")
	}
	all["response_types"] = []string{}
	if slices.Contains(m.GrantTypes, "authorization_code") {
		all["response_types"] = []string{"code"}
	}
	if len(m.Scopes) > 0 {
		all["scope"] = strings.Join(m.Scopes, " ")
	}
	if m.Keys != nil {
		all["jwks"] = m.Keys
	}
	if clientID != "" {
		all["client_id"] = clientID
		delete(all, "client_secret")
	}
	if text, err = json.Marshal(all); err != nil {
		return nil, errors.New("registration: Keys or Extra cannot be written as JSON")
	}
	return text, nil
}

// MaxDocument is how many bytes a client ID metadata document may have.
const MaxDocument = 5 << 10

// checkDocument keeps the rules of client ID metadata documents.
func (m Metadata) checkDocument(clientID string) error {
	if err := CheckClientID(clientID); err != nil {
		return err
	}
	switch m.TokenAuthMethod {
	case methodBasic, methodPost, methodJWT:
		return fmt.Errorf("registration: TokenAuthMethod %s needs a secret, and a document that everybody reads has none: use none or private_key_jwt", m.TokenAuthMethod)
	case methodNone:
		return nil
	}
	if strings.HasSuffix(m.TokenAuthMethod, "_jwt") && m.Keys == nil && m.KeysURL == "" {
		return fmt.Errorf("registration: TokenAuthMethod %s needs Keys or KeysURL", m.TokenAuthMethod)
	}
	return nil
}

// CheckClientID returns an error that says what is wrong with a client ID that
// is the URL of a metadata document, or nil.
func CheckClientID(clientID string) error {
	u, err := url.Parse(clientID)
	switch {
	case err != nil || !ascii.Visible(clientID) || u.Host == "":
		return errors.New("registration: the client ID is not a URL")
	case u.Scheme != "https":
		return errors.New("registration: the client ID is not an https URL")
	case u.User != nil:
		return errors.New("registration: the client ID has a user name")
	case strings.Contains(clientID, "#"):
		return errors.New("registration: the client ID has a fragment")
	case u.EscapedPath() == "" || u.EscapedPath() == "/":
		return errors.New("registration: the client ID has no path: write it like https://app.example/client.json")
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(u.EscapedPath()), "%2e", "."), "/") {
		if segment == "." || segment == ".." {
			return errors.New("registration: the path of the client ID has a segment . or .., which leads elsewhere")
		}
	}
	return nil
}
