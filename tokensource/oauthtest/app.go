package oauthtest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// App is a registered app. Its secret is in a closure, so that no verb of fmt,
// no JSON and no slog shows it.
type App struct {
	// ClientID names the app.
	ClientID string

	// Name is what a user reads on the consent page.
	Name string

	// RedirectURLs are compared byte by byte. The schemes are http, https and
	// private-use ones.
	RedirectURLs []string

	// PostLogoutURLs are where a browser may return to after a logout at
	// Provider.EndSessionURL. They are compared byte by byte.
	PostLogoutURLs []string

	// Auth is how the app authenticates, if it has no secret: "private_key_jwt"
	// (Options.Assertions verifies the assertions) or "tls_client_auth" (with
	// the certificate of Thumbprint). Empty means that the app is public.
	Auth string

	// Thumbprint is the SHA-256 of the app's certificate, in base64url, as
	// x5t#S256 in a token would have it (RFC 8705 section 3.1). The API accepts
	// the tokens of an app with a Thumbprint only on a connection with that
	// certificate.
	Thumbprint string

	secret func() string // nil for an app without a secret
}

// public reports whether the app does not authenticate.
func (a App) public() bool { return a.secret == nil && a.Auth == "" }

// Secret returns the secret that authenticates the app. It is empty for a
// public app.
func (a App) Secret() string {
	if a.secret == nil {
		return ""
	}
	return a.secret()
}

// WithSecret returns the app with this secret. An empty one makes it public.
// Register the result to give an app of the server another secret: the server
// refuses the former one from then on, and the app's grants stay.
func (a App) WithSecret(secret string) App {
	a.secret = nil
	if secret != "" {
		a.secret = func() string { return secret }
	}
	return a
}

// ConfidentialApp returns an app with a secret. Its ID has the shape of X's
// client IDs, base64url of twenty characters and ":1:ci".
func ConfidentialApp() App {
	return App{
		ClientID:     "ZmFrZUNvbmZpZGVudGlhbEFwcDE6MTpjaQ",
		Name:         "Confidential App",
		RedirectURLs: []string{"https://app.example/callback", "http://127.0.0.1:8080/callback", "http://localhost:8080/callback"},
	}.WithSecret("fake-Secret_of-the_confidential-App_0123456789abcd")
}

// PublicApp returns an app without a secret, such as one that runs on the
// user's device. Its ID has the shape of X's, with ":1:na" at the end.
func PublicApp() App {
	return App{
		ClientID:     "ZmFrZVB1YmxpY05hdGl2ZUFwcDI6MTpuYQ",
		Name:         "Native App",
		RedirectURLs: []string{"https://app.example/callback", "http://127.0.0.1:8080/callback", "http://localhost:8080/callback"},
	}
}

// Register adds an app, or replaces the one that has the same ClientID. The
// grants of that app stay. An app without a ClientID, with too many redirect
// URLs, or with a forbidden or malformed one is refused.
func (s *Server) Register(a App) error {
	if a.ClientID == "" {
		return errors.New("oauthtest: an app needs a ClientID")
	}
	if limit := s.options.MaxRedirectURLs; limit > 0 && len(a.RedirectURLs) > limit {
		return fmt.Errorf("oauthtest: app %s has %d redirect URLs: the server allows %d", a.ClientID, len(a.RedirectURLs), limit)
	}
	for _, raw := range a.RedirectURLs {
		if err := s.checkRedirectURL(raw); err != nil {
			return fmt.Errorf("oauthtest: app %s: redirect URL %q: %w", a.ClientID, raw, err)
		}
	}
	a.RedirectURLs, a.PostLogoutURLs = slices.Clone(a.RedirectURLs), slices.Clone(a.PostLogoutURLs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[a.ClientID] == nil {
		s.appOrder = append(s.appOrder, a.ClientID)
	}
	s.apps[a.ClientID] = &a
	return nil
}

// forbiddenSchemes are those that no authorization server redirects to.
var forbiddenSchemes = []string{
	"about", "blob", "data", "file", "ftp", "javascript", "mailto", "tel", "telnet", "vbscript", "view-source", "ws", "wss",
}

func (s *Server) checkRedirectURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return errors.New("is not an absolute URL")
	case slices.Contains(forbiddenSchemes, u.Scheme), slices.Contains(s.options.ForbiddenSchemes, u.Scheme):
		return errors.New("the scheme is forbidden")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return errors.New("has a fragment")
	case strings.HasPrefix(u.Scheme, "http") && u.Host == "":
		return errors.New("has no host")
	}
	return nil
}
