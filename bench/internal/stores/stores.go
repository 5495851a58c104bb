// Package stores pairs each store operation with the least that does the same
// job: the bare driver.
package stores

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/authtrip/authtrip/bench/internal/paired"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
)

// Size is the length of the records.
const Size = 2048

// Pair is an operation of authtrip, and what it is measured against.
type Pair struct {
	Name, Against string
	Goroutines    []int
	Goal          []float64 // at most one
	Ours, Bare    Op
}

// Op makes what one goroutine runs; worker numbers the goroutines, so that each
// has records of its own.
type Op func(worker int) (func() error, error)

// Contender returns op as something to measure.
func (op Op) Contender(name string, goroutines int) paired.Contender {
	var started atomic.Int64
	return paired.Contender{Name: name, Goroutines: goroutines, Worker: func() (func(int) error, error) {
		f, err := op(int(started.Add(1)))
		return func(n int) error {
			for range n {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		}, err
	}}
}

var (
	ctx      = context.Background()
	errWrong = errors.New("stores: what was read is not what was written")
)

// Pairs returns all pairs. Files go into dir. closeAll releases them.
func Pairs(dir string) (pairs []Pair, closeAll func(), err error) {
	file, err := filestore.Open(filepath.Join(dir, "store"), nil)
	if err != nil {
		return nil, nil, err
	}
	memory, plain, bare := storage.NewMemory(), &plainMap{values: map[string][]byte{}}, bareFiles(filepath.Join(dir, "bare"))
	if err := bare.create(); err != nil {
		return nil, nil, err
	}
	sealing, err := sealingPairs()
	return append([]Pair{
		{"memory, load", "map and copy", []int{1, 16}, nil, load(memory), plain.load},
		{"memory, save", "map and copy", []int{1, 16}, nil, save(memory), plain.save},
		{"file, load", "open and read", []int{1, 16}, nil, load(file), bare.load},
		{"file, save", "write, fsync, rename, fsync of the directory", []int{1, 16}, []float64{1.10}, save(file), bare.save},
	}, sealing...), func() { _ = file.Close() }, err
}

// record returns a record that no earlier one equals: some stores write nothing
// if nothing changes.
func record(n uint64) []byte {
	b := bytes.Repeat([]byte{'r'}, Size)
	binary.LittleEndian.PutUint64(b, n)
	return b
}

func key(worker int) string { return "worker-" + strconv.Itoa(worker) }

// load reads one record again and again.
func load(s storage.Store) Op {
	return func(worker int) (func() error, error) {
		k := "load-" + key(worker)
		if r, err := s.Get(ctx, k); err == nil {
			if err := s.Delete(ctx, k, r.Version); err != nil {
				return nil, err
			}
		}
		_, err := s.Put(ctx, k, record(0), 0)
		return func() error {
			r, err := s.Get(ctx, k)
			if err == nil && len(r.Value()) != Size {
				err = errWrong
			}
			return err
		}, err
	}
}

// save writes one record again and again, another value each time.
func save(s storage.Store) Op {
	return func(worker int) (func() error, error) {
		k := "save-" + key(worker)
		value, n := record(0), uint64(0)
		var version storage.Version
		if r, err := s.Get(ctx, k); err == nil {
			version = r.Version
		}
		return func() error {
			n++
			binary.LittleEndian.PutUint64(value, n)
			var err error
			version, err = s.Put(ctx, k, value, version)
			return err
		}, nil
	}
}

// plainMap is the least that keeps values in memory: a map, a lock, and copies.
type plainMap struct {
	mu     sync.RWMutex // guards values
	values map[string][]byte
}

func (m *plainMap) load(worker int) (func() error, error) {
	k := "load-" + key(worker)
	m.put(k, record(0))
	return func() error {
		m.mu.RLock()
		v := m.values[k]
		m.mu.RUnlock()
		if len(bytes.Clone(v)) != Size {
			return errWrong
		}
		return nil
	}, nil
}

func (m *plainMap) save(worker int) (func() error, error) {
	k, value, n := "save-"+key(worker), record(0), uint64(0)
	return func() error {
		n++
		binary.LittleEndian.PutUint64(value, n)
		m.put(k, bytes.Clone(value))
		return nil
	}, nil
}

func (m *plainMap) put(k string, v []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[k] = v
}

// sealingPairs compare Keys with a bare AES-256-GCM of random nonces, both of
// which return a slice of their own.
func sealingPairs() ([]Pair, error) {
	secret := seal.NewKey()
	keys, err := seal.NewKeys(secret)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	plaintext, data := record(1), []byte("associated data of the usual length, such as the key of a record is, with a hash in it")
	ours, err := keys.Seal(ctx, plaintext, data)
	if err != nil {
		return nil, err
	}
	bare := gcm.Seal(nil, nil, plaintext, data)
	op := func(want int, f func() ([]byte, error)) Op {
		return func(int) (func() error, error) {
			return func() error {
				out, err := f()
				if err == nil && len(out) < want {
					err = errWrong
				}
				return err
			}, nil
		}
	}
	return []Pair{
		{
			"sealing", "AES-256-GCM", []int{1}, []float64{1.20},
			op(Size+1, func() ([]byte, error) { return keys.Seal(ctx, plaintext, data) }),
			op(Size+1, func() ([]byte, error) { return gcm.Seal(nil, nil, plaintext, data), nil }),
		},
		{
			"opening", "AES-256-GCM", []int{1}, []float64{1.20},
			op(Size, func() ([]byte, error) { return keys.Open(ctx, ours, data) }),
			op(Size, func() ([]byte, error) { return gcm.Open(nil, nil, bare, data) }),
		},
	}, nil
}
