package tokensource_test

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

type mem struct {
	mu   sync.Mutex
	m    map[string]storage.Record
	n    storage.Version
	subs []chan string
}

func newMem() *mem { return &mem{m: map[string]storage.Record{}} }
func (s *mem) Get(_ context.Context, k string) (storage.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.m[k]
	if !ok {
		return r, storage.ErrNotFound
	}
	r.Value = slices.Clone(r.Value)
	return r, nil
}
func (s *mem) Put(_ context.Context, k string, v []byte, old storage.Version) (storage.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[k].Version != old {
		return 0, storage.ErrConflict
	}
	s.n++
	s.m[k] = storage.Record{Value: slices.Clone(v), Version: s.n}
	for _, c := range s.subs {
		c <- k
	}
	return s.n, nil
}
func (s *mem) Delete(_ context.Context, k string, old storage.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.m[k]; ok && r.Version != old {
		return storage.ErrConflict
	}
	delete(s.m, k)
	for _, c := range s.subs {
		c <- k
	}
	return nil
}
func (s *mem) Keys(context.Context) iter.Seq2[string, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ks []string
	for k := range s.m {
		ks = append(ks, k)
	}
	return func(y func(string, error) bool) {
		for _, k := range ks {
			if !y(k, nil) {
				return
			}
		}
	}
}
func (s *mem) Watch(ctx context.Context, f func(string)) error {
	c := make(chan string, 1000)
	s.mu.Lock()
	s.subs = append(s.subs, c)
	s.mu.Unlock()
	f("")
	for {
		select {
		case k := <-c:
			f(k)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
