package storage_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

func TestChangeText(t *testing.T) {
	long := strings.Repeat("k", storage.MaxKey)
	for _, c := range []storage.Change{{Key: "k"}, {Key: "k", Version: 1}, {Key: long, Version: 1<<64 - 1}} {
		s := c.String()
		if got := storage.ParseChange(s); got != c || len(s) > storage.MaxKey+17 {
			t.Errorf("ParseChange(%q) = %v, want %v", s, got, c)
		}
	}
	for _, s := range []string{"", "k", " k", "1", "1 ", "1 no key", "g k", "-1 k", "10000000000000000 k", "1 " + long + "k", storage.Change{}.String()} {
		if got := storage.ParseChange(s); got != (storage.Change{}) {
			t.Errorf("ParseChange(%q) = %v, want none", s, got)
		}
	}
}
