package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// errNode ends a walk over the keys of one node of a Cluster. The other nodes
// have keys too.
var errNode = errors.New("the server is one of the nodes of a Cluster, and the client knows only that one: pass a *redis.ClusterClient, or call Open")

// errClusterURL says nothing about the URL, as errURL does not.
var errClusterURL = errors.New("redisstore: the server belongs to a Cluster: its URL is redis:// or rediss:// without the number of a " +
	"database, and as its query it has only what redis.ParseClusterURL knows")

// openCluster returns the store in the Cluster of a server whose settings and
// URL are given.
func openCluster(ctx context.Context, url string, node *redis.Options, o *Options) (*Store, error) {
	settings, err := redis.ParseClusterURL(url)
	if err != nil || node.DB != 0 {
		return nil, errClusterURL
	}
	settings.Dialer = o.dialer(settings.TLSConfig, settings.DialTimeout)
	settings.ContextTimeoutEnabled = true
	settings.DialerRetries, settings.ReadTimeout = node.DialerRetries, node.ReadTimeout
	return openOn(ctx, redis.NewClusterClient(settings), o)
}

// inCluster reports whether the server is a node of a Cluster. A server that
// does not know HELLO, or refuses it, counts as none.
func (s *Store) inCluster(ctx context.Context, server *redis.Client) (bool, error) {
	var cmd *redis.Cmd
	err := s.do(ctx, func() error {
		cmd = server.Do(ctx, "hello")
		return cmd.Err()
	})
	switch {
	case err == nil:
		return property(cmd.Val(), "mode") == "cluster", nil
	case isAnswer(err):
		return false, nil
	}
	return false, err
}

// property returns a fact of a server from its reply to HELLO. The reply is a
// map, or in the old protocol a list of names and values.
func property(reply any, name string) any {
	switch r := reply.(type) {
	case map[any]any:
		return r[name]
	case []any:
		for i := 0; i+1 < len(r); i += 2 {
			if r[i] == name {
				return r[i+1]
			}
		}
	}
	return nil
}
