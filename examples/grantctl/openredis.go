package main

import (
	"context"

	"github.com/authtrip/authtrip/storage/redisstore"
)

// openRedis opens the records under a prefix of a Redis database.
func openRedis(ctx context.Context, name, _ string, _ mode) (backend, error) {
	url, prefix, err := take(name, "prefix")
	if err != nil {
		return nil, err
	}
	return redisstore.Open(ctx, url, &redisstore.Options{Prefix: prefix})
}
