package filestore

import (
	"context"

	"github.com/authtrip/authtrip/storage"
)

// These names are for the tests of the file format.
var (
	Encode   = encodeFile
	Decode   = decodeFile
	FileName = fileName
	KeyOf    = keyOf
	ShardOf  = shardOf
)

// Explain explains errors of the operating system that the tests cannot cause.
func (f *Store) Explain(err error) error { return f.explain("put", err) }

// PutAfter writes a record, whatever its version is, and calls before when it
// has the lock. It calls after when the record is written, still under the
// lock.
func (f *Store) PutAfter(ctx context.Context, key string, value []byte, before, after func()) error {
	return f.change(ctx, "put", key, func(name string, s *shard) error {
		before()
		err := f.write(s, name, encodeFile(storage.NewVersion(), value))
		after()
		return err
	})
}
