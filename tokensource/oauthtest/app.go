package oauthtest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

// App is a registered app. Its secrets are printed by no verb of fmt, and appear in neither JSON nor slog.
type App struct {
	// ClientID names the app. X's are 34 characters: base64url of twenty characters and ":1:ci" (confidential) or
	// ":1:na" (public).
	ClientID string

	// Secret authenticates a confidential app. Empty means a public app.
	Secret string

	// Name is what a user reads on the consent page.
	Name string

	// RedirectURLs are compared byte by byte. At most ten; http, https and private-use schemes.
	RedirectURLs []string

	// APIKey and APISecret authenticate the app for an app-only bearer token. Empty means that it can have none.
	APIKey    string
	APISecret string

	// NotEnrolled makes every API call of the app fail with 403 Client Forbidden.
	NotEnrolled bool
}

// ConfidentialApp returns an app with a secret, whose ID is shaped as X shapes it.
func ConfidentialApp() App {
	return App{
		ClientID:     "ZmFrZUNvbmZpZGVudGlhbEFwcDE6MTpjaQ",
		Secret:       "fake-Secret_of-the_confidential-App_0123456789abcd",
		Name:         "Confidential App",
		RedirectURLs: []string{"https://app.example/callback", "http://127.0.0.1:8080/callback", "http://localhost:8080/callback"},
		APIKey:       "fakeApiKeyOfTheConfidApp1",
		APISecret:    "fakeApiSecretOfTheConfidentialApp0123456789abcdefgh",
	}
}

// PublicApp returns an app without a secret, such as one that runs on the user's device.
func PublicApp() App {
	return App{
		ClientID:     "ZmFrZVB1YmxpY05hdGl2ZUFwcDI6MTpuYQ",
		Name:         "Native App",
		RedirectURLs: []string{"https://app.example/callback", "http://127.0.0.1:8080/callback", "http://localhost:8080/callback"},
	}
}

// User is an account at the fake.
type User struct {
	ID             string // decimal digits, as X's are
	Name           string
	Username       string // without the @
	ConfirmedEmail string // empty if the user has none

	suspended bool
}

// DefaultUser returns the account in X's own documentation.
func DefaultUser() User {
	return User{ID: "2244994945", Name: "X Developers", Username: "XDevelopers", ConfirmedEmail: "devs@x.example"}
}

// Register adds an app, or replaces the one that has the same ClientID; grants of that app stay. An app without a
// ClientID, with more than ten redirect URLs, or with a forbidden or malformed one is refused.
func (s *Server) Register(a App) error {
	if a.ClientID == "" {
		return errors.New("oauthtest: an app needs a ClientID")
	}
	if len(a.RedirectURLs) > 10 {
		return fmt.Errorf("oauthtest: app %s has %d redirect URLs: X allows 10", a.ClientID, len(a.RedirectURLs))
	}
	for _, raw := range a.RedirectURLs {
		if err := checkRedirectURL(raw); err != nil {
			return fmt.Errorf("oauthtest: app %s: redirect URL %q: %w", a.ClientID, raw, err)
		}
	}
	a.RedirectURLs = slices.Clone(a.RedirectURLs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[a.ClientID] == nil {
		s.appOrder = append(s.appOrder, a.ClientID)
	}
	s.apps[a.ClientID] = &a
	return nil
}

// AddUser adds an account, or replaces the one that has the same ID. A user without an ID or Username is refused.
func (s *Server) AddUser(u User) error {
	if u.ID == "" || u.Username == "" {
		return errors.New("oauthtest: a user needs an ID and a Username")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[u.ID] == nil {
		s.userOrder = append(s.userOrder, u.ID)
	}
	s.users[u.ID] = &u
	return nil
}

// RotateSecret gives the app a new secret and returns it. The old one is refused from then on; grants stay.
func (s *Server) RotateSecret(clientID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[clientID]
	if a == nil || a.Secret == "" {
		return "", fmt.Errorf("oauthtest: no confidential app %q", clientID)
	}
	changed := *a
	changed.Secret = s.randomText(50)
	s.apps[clientID] = &changed
	return changed.Secret, nil
}

// SuspendUser suspends the account: its grants end, and it can authorize no app until AddUser adds it again.
func (s *Server) SuspendUser(userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[userID]
	if u == nil {
		return fmt.Errorf("oauthtest: no user %q", userID)
	}
	changed := *u
	changed.suspended = true
	s.users[userID] = &changed
	s.endGrants(func(g *grant) bool { return g.user == userID }, endedSuspended)
	return nil
}

// forbiddenSchemes are those that X's developer console refuses.
var forbiddenSchemes = []string{"about", "blob", "data", "file", "ftp", "javascript", "mailto", "tel", "telnet", "vbscript", "view-source", "ws", "wss"}

func checkRedirectURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return errors.New("is not an absolute URL")
	case slices.Contains(forbiddenSchemes, strings.ToLower(u.Scheme)):
		return errors.New("the scheme is forbidden")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return errors.New("has a fragment")
	case strings.HasPrefix(u.Scheme, "http") && u.Host == "":
		return errors.New("has no host")
	}
	return nil
}

// String names the app without its secrets.
func (a App) String() string {
	kind := "public"
	if a.Secret != "" {
		kind = "confidential"
	}
	return fmt.Sprintf("oauthtest.App(%s, %s, %q)", a.ClientID, kind, a.Name)
}

// Format prints String under every verb.
func (a App) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue is String, for slog.
func (a App) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText is String, so that JSON holds no secret either.
func (a App) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
