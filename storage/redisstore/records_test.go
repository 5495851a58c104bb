package redisstore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
)

// TestLayout states what other programs find in Redis.
func TestLayout(t *testing.T) {
	server := servertest.Redis(t)
	s, client, prefix := open(t, server.URL, "layout:"), connect(t, server.URL), "layout:"
	v := put(t, s, "k", "value", 0)
	data, err := client.Get(t.Context(), prefix+"k").Bytes()
	if want := string(binary.BigEndian.AppendUint64(nil, uint64(v))) + "value"; err != nil || string(data) != want {
		t.Errorf("GET = %q, %v, want %q", data, err, want)
	}
	if err := client.Expire(t.Context(), prefix+"k", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", "again", v)
	if ttl, err := client.TTL(t.Context(), prefix+"k").Result(); err != nil || ttl >= 0 {
		t.Errorf("TTL after Put = %v, %v, want none", ttl, err)
	}
}

// TestCorrupt puts what is no record where one should be. Nothing may read,
// overwrite or delete it.
func TestCorrupt(t *testing.T) {
	server := servertest.Redis(t)
	prefix := newPrefix()
	s, client := open(t, server.URL, prefix), connect(t, server.URL)
	foreign := map[string][]any{
		"empty":   {"set", prefix + "empty", ""},
		"short":   {"set", prefix + "short", "7 bytes"},
		"list":    {"rpush", prefix + "list", "a", "b"},
		"hash":    {"hset", prefix + "hash", "a", "b"},
		"counter": {"incr", prefix + "counter"},
	}
	for key, command := range foreign {
		if err := client.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
		before := client.Dump(t.Context(), prefix+key).Val()
		_, err := s.Get(t.Context(), key)
		wantCorrupt(t, "Get", prefix+key, err)
		for _, old := range []storage.Version{0, 7} {
			_, err = s.Put(t.Context(), key, []byte("new"), old)
			wantCorrupt(t, "Put", prefix+key, err)
			wantCorrupt(t, "Delete", prefix+key, s.Delete(t.Context(), key, old))
		}
		if after := client.Dump(t.Context(), prefix+key).Val(); after == "" || after != before {
			t.Errorf("%s was changed", key)
		}
	}
	if err := client.Set(t.Context(), prefix+"zero", "\x00\x00\x00\x00\x00\x00\x00\x00value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "zero")
	wantCorrupt(t, "Get", prefix+"zero", err)
}

func wantCorrupt(t *testing.T, call, name string, err error) {
	t.Helper()
	if !errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrConflict) || !strings.Contains(err.Error(), name) {
		t.Errorf("%s(%s) = %v, want %v and the name", call, name, err, storage.ErrCorrupt)
	}
}

// TestPrefixes has stores whose prefixes begin alike in one database.
func TestPrefixes(t *testing.T) {
	server := servertest.Redis(t)
	base := newPrefix()
	client := connect(t, server.URL)
	prefixes := []string{base, base + "a:", base + "a:b:", base + "{a}:", strings.TrimSuffix(base, ":") + "1:"}
	for i, prefix := range prefixes {
		s := open(t, server.URL, prefix)
		if keys := list(t, s); keys != "" {
			t.Errorf("Keys() with prefix %q = %s, want none", prefix, keys)
		}
		put(t, s, "same", fmt.Sprint(i), 0)
		put(t, s, fmt.Sprintf("own%d", i), "value", 0)
		for _, name := range []string{"no key", "x:y", strings.Repeat("k", storage.MaxKey+1), ""} {
			if err := client.Set(t.Context(), prefix+name, "foreign", 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, prefix := range prefixes {
		s := open(t, server.URL, prefix)
		want(t, s, "same", fmt.Sprint(i))
		if keys, want := list(t, s), fmt.Sprintf("own%d same", i); keys != want {
			t.Errorf("Keys() with prefix %q = %s, want %s", prefix, keys, want)
		}
	}
}

// TestManyKeys lists more keys than fit into one answer, and ends the loop in
// the middle.
func TestManyKeys(t *testing.T) {
	server := servertest.Redis(t, "--appendonly", "no")
	prefix := newPrefix()
	s, client := open(t, server.URL, prefix), connect(t, server.URL)
	const many = 5000
	pipe := client.Pipeline()
	for i := range many {
		pipe.Set(t.Context(), fmt.Sprintf("%sk%d", prefix, i), "8 bytes+", 0)
		pipe.Set(t.Context(), fmt.Sprintf("%sforeign:%d", prefix, i), "foreign", 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(list(t, s))); n != many {
		t.Errorf("Keys() yields %d keys, want %d", n, many)
	}
	n := 0
	for _, err := range s.Keys(t.Context()) {
		if n++; err != nil || n == many/2 {
			break
		}
	}
	if n != many/2 {
		t.Errorf("Keys() yields %d keys, want %d", n, many/2)
	}
}
