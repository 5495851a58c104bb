package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
	"github.com/authtrip/authtrip/storage/seal"
)

// One server, which REDIS_URL names. Seal what you store.
func ExampleOpen() {
	ctx := context.Background()
	store, err := redisstore.Open(ctx, os.Getenv("REDIS_URL"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // at the end of the program
	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS"))
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := storage.Sealed(store, keys)
	if err != nil {
		log.Fatal(err)
	}
	_, err = sealed.Put(ctx, "greeting", []byte("hello"), 0)
	if errors.Is(err, storage.ErrConflict) {
		log.Print("it is there already")
	}
}

// A Cluster, or with MasterName the servers behind Sentinel. New does not
// connect, so this runs without any.
func ExampleNew() {
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                 []string{"redis-1:6379", "redis-2:6379", "redis-3:6379"},
		ContextTimeoutEnabled: true,
	})
	defer client.Close() //nolint:errcheck // the store leaves it open
	store, err := redisstore.New(client, &redisstore.Options{Prefix: "shop:grants:"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Close())
	// Output: <nil>
}
