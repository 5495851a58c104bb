package redisstore

import (
	"context"
	"iter"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scanCount is how many keys of the database the server looks at before it
// answers.
const scanCount = 1000

// firstTries is on how many connections a walk may be tried to begin. The
// client tries as many for a command by default.
const firstTries = 4

// Keys implements storage.Lister. It reads the names of all keys of the
// database, some at a time, and holds those of the store in memory. It yields
// the first key when a server has named all its keys. The whole walk of a
// server uses one connection, because after a restart or a failover another
// connection would miss keys. If that connection breaks, an error ends the
// iteration. While a Cluster moves slots between nodes, keys in these slots may
// be missing.
func (s *Store) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		nodes, err := s.nodes(ctx)
		if err != nil {
			yield("", s.explain(ctx, "keys", "", err))
			return
		}
		seen := map[string]struct{}{} // SCAN may show a key again
		for _, node := range nodes {
			keys, err := s.scan(ctx, node, seen)
			if err != nil {
				yield("", s.explain(ctx, "keys", "", err))
				return
			}
			if !s.yieldAll(ctx, keys, yield) {
				return
			}
		}
	}
}

// scan returns the keys of one node that are not in seen, and adds them to
// seen. It returns the connection before it ends, because the caller of Keys
// needs one, and there may be no other.
func (s *Store) scan(ctx context.Context, node *redis.Client, seen map[string]struct{}) ([]string, error) {
	conn, names, cursor, err := s.first(ctx, node)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the client
	var keys []string
	for {
		for _, name := range names {
			key, ok := s.keyOf(name)
			if _, again := seen[key]; !ok || again {
				continue
			}
			seen[key] = struct{}{}
			keys = append(keys, key)
		}
		if cursor == 0 {
			return keys, nil
		}
		if names, cursor, err = s.page(ctx, conn, cursor); err != nil {
			return nil, err
		}
	}
}

// first asks for the first keys, and returns the connection that has answered.
// A connection that was idle may be broken. At the beginning of a walk another
// one is as good.
func (s *Store) first(ctx context.Context, node *redis.Client) (conn *redis.Conn, names []string, next uint64, err error) {
	for range firstTries {
		conn = node.Conn()
		if names, next, err = s.page(ctx, conn, 0); err == nil {
			return conn, names, next, nil
		}
		_ = conn.Close() // it is broken, or was never made
		if !isLost(ctx, err) {
			break
		}
	}
	return nil, nil, 0, err
}

func (s *Store) page(ctx context.Context, conn *redis.Conn, cursor uint64) (names []string, next uint64, err error) {
	var cmd *redis.ScanCmd
	if err := s.do(ctx, func() error {
		cmd = conn.Scan(ctx, cursor, s.prefix+"*", scanCount)
		return cmd.Err()
	}); err != nil {
		return nil, 0, err
	}
	return cmd.Result()
}

// yieldAll yields keys until ctx ends, and reports whether to go on.
func (s *Store) yieldAll(ctx context.Context, keys []string, yield func(string, error) bool) bool {
	for _, key := range keys {
		if err := context.Cause(ctx); err != nil {
			yield("", s.explain(ctx, "keys", "", err))
			return false
		}
		if !yield(key, nil) {
			return false
		}
	}
	return true
}

// nodes returns the servers that together have all keys.
func (s *Store) nodes(ctx context.Context) ([]*redis.Client, error) {
	if client, ok := s.client.(*redis.Client); ok {
		node, err := s.inCluster(ctx, client)
		if node {
			err = errNode
		}
		return []*redis.Client{client}, err
	}
	var mu sync.Mutex // guards nodes: the client calls for all at the same time
	var nodes []*redis.Client
	err := s.do(ctx, func() error {
		return s.client.(*redis.ClusterClient).ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes = append(nodes, node)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return nodes, nil
}
