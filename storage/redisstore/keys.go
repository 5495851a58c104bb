package redisstore

import (
	"context"
	"iter"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scanCount is how many keys of the database the server looks at before it answers.
const scanCount = 1000

// Keys implements storage.Lister. It looks at all keys of the database, also those of others, some at a time, and holds
// the keys it has yielded in memory. While a Cluster moves slots from one node to another, keys in them may be left out.
func (s *Store) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		nodes, err := s.nodes(ctx)
		if err != nil {
			yield("", s.explain(ctx, "keys", "", err))
			return
		}
		seen := map[string]struct{}{} // SCAN may show a key again
		for _, node := range nodes {
			if !s.scan(ctx, node, seen, yield) {
				return
			}
		}
	}
}

// scan yields the keys of one node that are not in seen, and reports whether to go on.
func (s *Store) scan(ctx context.Context, node redis.Cmdable, seen map[string]struct{}, yield func(string, error) bool) bool {
	for cursor := uint64(0); ; {
		names, next, err := s.page(ctx, node, cursor)
		if err != nil {
			yield("", s.explain(ctx, "keys", "", err))
			return false
		}
		if !s.yieldNew(ctx, names, seen, yield) {
			return false
		}
		if next == 0 {
			return true
		}
		cursor = next
	}
}

func (s *Store) page(ctx context.Context, node redis.Cmdable, cursor uint64) (names []string, next uint64, err error) {
	var cmd *redis.ScanCmd
	if err := s.do(ctx, func() error {
		cmd = node.Scan(ctx, cursor, s.prefix+"*", scanCount)
		return cmd.Err()
	}); err != nil {
		return nil, 0, err
	}
	return cmd.Result()
}

func (s *Store) yieldNew(ctx context.Context, names []string, seen map[string]struct{}, yield func(string, error) bool) bool {
	for _, name := range names {
		key, ok := s.keyOf(name)
		if _, again := seen[key]; !ok || again {
			continue
		}
		seen[key] = struct{}{}
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

// nodes returns the servers that have to be asked to see all keys.
func (s *Store) nodes(ctx context.Context) ([]redis.Cmdable, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return []redis.Cmdable{s.client}, nil
	}
	var mu sync.Mutex // guards nodes: the client calls for all at the same time
	var nodes []redis.Cmdable
	err := s.do(ctx, func() error {
		return cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
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
