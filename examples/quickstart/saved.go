package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"sync"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// saved is what a fake remembers, in a file. Otherwise the grants that the app
// has stored would be worth nothing after a restart.
type saved struct {
	server interface {
		Snapshot() ([]byte, error)
		Restore(snapshot []byte) error
	}
	mu   sync.Mutex // guards the file
	file string
}

func (s *saved) restore() error {
	snapshot, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = s.server.Restore(snapshot)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return nil
}

// keep saves after whatever may change grants, before the answer goes out: a
// demo that is killed loses nothing.
func (s *saved) keep(r oauthtest.Request) {
	if r.Method != "POST" {
		return
	}
	if err := s.save(); err != nil {
		log.Printf("quickstart: the state of a fake is not saved: %v", err)
	}
}

func (s *saved) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot, err := s.server.Snapshot()
	if err != nil {
		return err
	}
	return writeFile(s.file, snapshot)
}
