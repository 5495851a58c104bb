package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/authtrip/authtrip/storage/redisstore"
)

// openRedis opens the records under a prefix of a Redis database. A prefix
// without records is no store, because it may be mistyped.
func openRedis(ctx context.Context, name, _ string, m mode) (backend, error) {
	url, prefix, err := take(name, "prefix")
	if err != nil {
		return nil, err
	}
	url, noTLS, err := take(url, "insecure_no_tls")
	if err != nil {
		return nil, err
	}
	if noTLS != "" && noTLS != "true" {
		return nil, usageError("STORE has insecure_no_tls with another value than true")
	}
	s, err := redisstore.Open(ctx, url, &redisstore.Options{Prefix: prefix, InsecureNoTLS: noTLS == "true"})
	if err != nil && noTLS == "" && strings.Contains(err.Error(), "InsecureNoTLS") { // the advice for programs
		return nil, usageError("redis:// has no TLS, and the server, or a node of its Cluster, is another machine: nothing was sent to it; " +
			"write rediss://, or add insecure_no_tls=true to the query where nobody can listen to the connection")
	}
	if err != nil {
		return nil, err
	}
	if m == mustExist {
		err = wantRecords(ctx, s)
	}
	if err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// wantRecords returns errNoStore if s is empty.
func wantRecords(ctx context.Context, s *redisstore.Store) error {
	for _, err := range s.Keys(ctx) {
		return err
	}
	return fmt.Errorf("nothing is stored under the prefix: %w", errNoStore)
}
