package postgresstore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL says nothing about the URL. The URL may be a password that was passed
// by mistake, or may contain one in a wrong place.
var errURL = errors.New("postgresstore: the URL cannot be read: write postgres://user:password@host:5432/database, " +
	"with %-escapes for special characters in the password")

// configOf returns the configuration of the pool that Open makes.
//
// Of several servers only one takes writes, and which one may change. So a
// connection to another one is of no use, unless the URL has its own
// target_session_attrs.
func configOf(url string) (*pgxpool.Config, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	c := &config.ConnConfig.Config
	requireTLS(c, namesMode(url))
	if hosts(c) > 1 && c.ValidateConnect == nil {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return config, nil
}

// parseURL returns the configuration that a URL describes. No error shows a
// password. The driver masks what it recognizes as a password, and in a URL
// with a mistake that is guesswork.
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
	// The same URL without the passwords fails in the same way, unless the
	// mistake is in a password.
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

// misread reports whether the password contains a character that ends the host.
// The rest of the password was then read as something other than a password.
func misread(u *url.URL) bool {
	parameter, _, _ := strings.Cut(u.RawQuery, "=")
	return strings.Contains(u.Path+u.Fragment+parameter, "@")
}
