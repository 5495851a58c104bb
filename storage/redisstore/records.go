package redisstore

import (
	"context"
	"encoding/binary"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
)

// versionSize is the length of the version, big endian, that stands before a
// value.
const versionSize = 8

// Get implements storage.Store. If the value under the key is not a record, it
// returns an error that wraps storage.ErrCorrupt.
func (s *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Record{}, err
	}
	r, err := s.read(ctx, key)
	if isNil(err) {
		return storage.Record{}, storage.ErrNotFound
	}
	return r, s.explain(ctx, "get", key, err)
}

// read returns what is stored under key, or the error as it is.
func (s *Store) read(ctx context.Context, key string) (storage.Record, error) {
	cmd := redis.NewStringCmd(ctx, "get", s.name(key))
	if err := s.do(ctx, func() error { return s.client.Process(ctx, cmd) }); err != nil {
		return storage.Record{}, err
	}
	data, _ := cmd.Bytes() // its error was that of Process
	return decode(data)
}

// Put implements storage.Store. If the value under the key is not a record, it
// writes nothing and returns an error that wraps storage.ErrCorrupt.
func (s *Store) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := storage.CheckKey(key); err != nil {
		return 0, err
	}
	if err := storage.CheckValue(value); err != nil {
		return 0, err
	}
	version := storage.NewVersion()
	notice := ""
	if storage.Notifies(ctx) {
		notice = storage.Change{Key: key, Version: version}.String()
	}
	args := []any{encodeVersion(old), s.channel, notice, encode(version, value)}
	var err error
	if old == 0 {
		err = s.create(ctx, key, version, args)
	} else {
		err = s.change(ctx, putScript, key, args)
	}
	if err != nil {
		return 0, s.explain(ctx, "put", key, err)
	}
	return version, nil
}

// Delete implements storage.Store. If the value under the key is not a record,
// it deletes nothing and returns an error that wraps storage.ErrCorrupt.
func (s *Store) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	args := []any{encodeVersion(old), s.channel, storage.Change{Key: key}.String()}
	return s.explain(ctx, "delete", key, s.change(ctx, deleteScript, key, args))
}

func encode(version storage.Version, value []byte) []byte {
	data := make([]byte, versionSize, versionSize+len(value))
	binary.BigEndian.PutUint64(data, uint64(version))
	return append(data, value...) // a copy: a call that ctx ends leaves the command at work
}

func decode(data []byte) (storage.Record, error) {
	if len(data) < versionSize {
		return storage.Record{}, errNoRecord
	}
	version := storage.Version(binary.BigEndian.Uint64(data))
	if version == 0 {
		return storage.Record{}, errNoRecord
	}
	value := data[versionSize:]
	return storage.NewRecord(value[:len(value):len(value)], version), nil
}

// encodeVersion returns what a script compares the stored version with.
func encodeVersion(v storage.Version) []byte {
	if v == 0 {
		return nil
	}
	return binary.BigEndian.AppendUint64(nil, uint64(v))
}
