package postgresstore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL says nothing of the URL: it may be a password that was passed by
// mistake, or hold one where none belongs.
var errURL = errors.New("postgresstore: the URL cannot be read: write postgres://user:password@host:5432/database, " +
	"with %-escapes for special characters in the password")

// parseURL returns the configuration that a URL describes. No error shows a
// password: pgx masks what it recognizes as one, which in a URL with a mistake
// is guesswork.
func parseURL(raw string) (*pgxpool.Config, error) {
	u, err := url.Parse(raw)
	isURL := err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") // pgx takes "host=… user=…" too
	if isURL && misread(u) {
		return nil, errURL
	}
	config, err := pgxpool.ParseConfig(raw)
	if err == nil {
		return config, nil
	}
	if !isURL {
		return nil, errURL
	}
	// The same without the passwords fails in the same way, unless they are what is
	// wrong.
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	query.Del("password")
	query.Del("sslpassword")
	u.RawQuery = query.Encode()
	if _, err := pgxpool.ParseConfig(u.String()); err != nil {
		return nil, fmt.Errorf("postgresstore: %w", err)
	}
	return nil, errURL
}

// misread reports whether the password has a sign in it that ends the host, so
// that its rest was read as something else.
func misread(u *url.URL) bool {
	parameter, _, _ := strings.Cut(u.RawQuery, "=")
	return strings.Contains(u.Path+u.Fragment+parameter, "@")
}
