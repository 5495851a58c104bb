package postgresstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/authtrip/authtrip/storage"
)

// SetPing makes Watch look for a dead server sooner.
func (s *Store) SetPing(every, limit time.Duration) { s.pingEvery, s.pingTime = every, limit }

// Tell notifies of a change.
func (s *Store) Tell(c storage.Change) { s.notifier.add(c) }

// Attempts returns how a URL is connected to, in the order of the attempts:
// each host with "verified" TLS, with "any" certificate, or "plain".
func Attempts(url string) ([]string, error) {
	config, err := configOf(url)
	if err != nil {
		return nil, err
	}
	c := config.ConnConfig
	var all []string
	for _, a := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...) {
		how := "plain"
		switch {
		case a.TLSConfig == nil:
		case a.TLSConfig.InsecureSkipVerify && a.TLSConfig.VerifyPeerCertificate == nil:
			how = "any"
		case a.TLSConfig.InsecureSkipVerify:
			how = "authority"
		default:
			how = "verified"
			if a.TLSConfig.ServerName != a.Host {
				how = "verified as " + a.TLSConfig.ServerName
			}
		}
		all = append(all, fmt.Sprintf("%s:%d %s", a.Host, a.Port, how))
	}
	return all, nil
}

// Lookup looks up the host of a URL as a connection does, where the name server
// answers with addr.
func Lookup(ctx context.Context, url, addr string) error {
	config, err := parseURL(url)
	if err != nil {
		return err
	}
	c := &config.ConnConfig.Config
	c.LookupFunc = func(context.Context, string) ([]string, error) { return []string{addr}, nil }
	requireTLS(c, namesMode(url))
	_, err = c.LookupFunc(ctx, c.Host)
	return err
}
