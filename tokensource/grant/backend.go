package grant

import (
	"context"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// backend is the store. Each call has a limit of time.
type backend struct {
	store   storage.Store
	timeout time.Duration
}

// name returns a storage key. The first name may have to read the store.
func (b *backend) name(ctx context.Context, prefix string, parts ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return storage.Name(ctx, b.store, prefix, parts...)
}

func (b *backend) get(ctx context.Context, key string) (storage.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.store.Get(ctx, key)
}

func (b *backend) put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.store.Put(ctx, key, value, old)
}

func (b *backend) remove(ctx context.Context, key string, old storage.Version) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.store.Delete(ctx, key, old)
}
