package redisstore_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
)

// TestOpenHidesPassword makes Open fail in every way. No error may show the
// password, or a part of it.
func TestOpenHidesPassword(t *testing.T) {
	server := servertest.Redis(t)
	host := strings.TrimSuffix(strings.TrimPrefix(server.URL, "redis://"), "/0")
	const secret = "47110815"
	tests := map[string]string{
		"no server":      "redis://user:" + secret + "@127.0.0.1:1/0?max_retries=-1",
		"wrong password": "redis://user:" + secret + "@" + host + "/0",
		"scheme":         "http://user:" + secret + "@" + host + "/0",
		"database":       "redis://user:" + secret + "@" + host + "/none",
		"path":           "redis://user:" + secret + "@" + host + "/0/1",
		"option":         "redis://user:" + secret + "@" + host + "/0?none=1",
		"option value":   "redis://user:" + secret + "@" + host + "/0?pool_size=many",
		"control sign":   "redis://user:" + secret + "\n@" + host + "/0",
		"slash":          "redis://user:" + secret + "/word@" + host + "/0",
		"question mark":  "redis://user:" + secret + "?word@" + host + "/0",
		"hash":           "redis://user:" + secret + "#word@" + host + "/0",
		"percent":        "redis://user:%zz" + secret + "@" + host + "/0",
		"as an option":   "redis://" + host + "/0?password=" + secret,
	}
	for name, url := range tests {
		s, err := redisstore.Open(t.Context(), url, nil)
		if s != nil || err == nil {
			t.Errorf("Open(%s) = %v, %v, want an error", name, s, err)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("Open(%s) = %v, want an error without the password", name, err)
		}
	}
}

func TestOpenAdvises(t *testing.T) {
	url := strings.Replace(servertest.Redis(t).URL, "redis://", "redis://user:wrong@", 1)
	if _, err := redisstore.Open(t.Context(), url, nil); !redis.IsAuthError(err) || !strings.Contains(err.Error(), "check the user") {
		t.Errorf("Open() with a wrong password = %v, want advice", err)
	}
	if _, err := redisstore.Open(t.Context(), "redis", nil); err == nil || !strings.Contains(err.Error(), "redis://") {
		t.Errorf("Open(redis) = %v, want an error that shows a URL", err)
	}
}

// TestOpenNeedsSlashes opens what would be localhost, with the host as nothing
// that means anything.
func TestOpenNeedsSlashes(t *testing.T) {
	for _, url := range []string{"redis:127.0.0.1:1", "rediss:host.example", "redis:user:secret@host:6379", "redis:6379/0"} {
		s, err := redisstore.Open(t.Context(), url, nil)
		if s != nil || err == nil || !strings.Contains(err.Error(), "write redis://host:6379") || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%s) = %v, %v, want an error that says what to write", url, s, err)
		}
	}
}

// TestOpenDialsOnce looks that Close need not wait for several attempts to
// connect.
func TestOpenDialsOnce(t *testing.T) {
	s := open(t, servertest.Redis(t).URL, newPrefix())
	if n := redisstore.ClientOptions(s).DialerRetries; n != 1 {
		t.Errorf("DialerRetries after Open = %d, want 1", n)
	}
}

// TestDirect states which clients end calls in time themselves.
func TestDirect(t *testing.T) {
	single := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	slow := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, ReadTimeout: time.Minute})
	plain := redis.NewClient(&redis.Options{})
	cluster := redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true})
	tests := map[string]struct {
		client redis.UniversalClient
		want   bool
	}{
		"with deadlines":    {single, true},
		"slow":              {slow, false},
		"without deadlines": {plain, false},
		"Cluster":           {cluster, false},
	}
	for name, tt := range tests {
		t.Cleanup(func() { _ = tt.client.Close() })
		if got := redisstore.IsDirect(onClient(t, tt.client, newPrefix())); got != tt.want {
			t.Errorf("direct(%s) = %v, want %v", name, got, tt.want)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	server := servertest.Redis(t)
	long := strings.Repeat("p", 128) + ":"
	tests := map[string]redisstore.Options{
		"no colon":      {Prefix: "app"},
		"glob":          {Prefix: "app*:"},
		"class":         {Prefix: "a[b]:"},
		"any":           {Prefix: "a?:"},
		"escape":        {Prefix: `a\:`},
		"space":         {Prefix: "a b:"},
		"not ASCII":     {Prefix: "ä:"},
		"line":          {Prefix: "a:\n"},
		"two tags":      {Prefix: "{a}{b}:"},
		"empty tag":     {Prefix: "{}:"},
		"open tag":      {Prefix: "{a:"},
		"closed tag":    {Prefix: "a}:"},
		"tag in tag":    {Prefix: "{{a}}:"},
		"long":          {Prefix: long},
		"channel":       {Channel: "a b"},
		"long channel":  {Channel: long},
		"channel, glob": {Channel: "*"},
	}
	for name, o := range tests {
		if s, err := redisstore.New(connect(t, server.URL), &o); s != nil || err == nil || !strings.Contains(err.Error(), "redisstore: the ") {
			t.Errorf("New(%s) = %v, %v, want an error", name, s, err)
		}
		if s, err := redisstore.Open(t.Context(), server.URL, &o); s != nil || err == nil {
			t.Errorf("Open(%s) = %v, %v, want an error", name, s, err)
		}
	}
	for _, prefix := range []string{":", "a:", "a.b_c-d:1:", "{tag}:", "a:{t}:", strings.Repeat("p", 127) + ":"} {
		s, err := redisstore.New(connect(t, server.URL), &redisstore.Options{Prefix: prefix})
		if err != nil {
			t.Errorf("New(Prefix %q) = %v, want no error", prefix, err)
			continue
		}
		put(t, s, "k", prefix, 0)
		want(t, s, "k", prefix)
		if keys := list(t, s); keys != "k" {
			t.Errorf("Keys() with Prefix %q = %s, want k", prefix, keys)
		}
	}
}

func TestNewRefusesClients(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{})
	cached := redis.NewClient(&redis.Options{ClientSideCacheConfig: new(redis.ClientSideCacheConfig)})
	replicas := redis.NewClusterClient(&redis.ClusterOptions{RouteByLatency: true})
	for _, c := range []redis.UniversalClient{ring, cached, replicas} {
		defer c.Close() //nolint:errcheck // never connected
	}
	tests := map[string]struct {
		client redis.UniversalClient
		want   string
	}{
		"nil":               {nil, "nil client"},
		"typed nil":         {(*redis.Client)(nil), "nil client"},
		"typed nil cluster": {(*redis.ClusterClient)(nil), "nil client"},
		"ring":              {ring, "*redis.Ring"},
		"cache":             {cached, "stale"},
		"replicas":          {replicas, "replicas"},
	}
	for name, tt := range tests {
		if s, err := redisstore.New(tt.client, nil); s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%s) = %v, %v, want an error with %q", name, s, err, tt.want)
		}
	}
}

func TestClose(t *testing.T) {
	server := servertest.Redis(t)
	client := connect(t, server.URL)
	for name, s := range map[string]*redisstore.Store{
		"own":      open(t, server.URL, newPrefix()),
		"caller's": onClient(t, client, newPrefix()),
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, s)
			w.wantNews(t, "")
			for range 2 {
				if err := s.Close(); err != nil {
					t.Errorf("Close() = %v, want no error", err)
				}
			}
			wantClosed(t, "Watch", w.wantEnd(t))
			wantClosed(t, "Watch", s.Watch(t.Context(), func(storage.Change) {}))
			for _, ctx := range []context.Context{t.Context(), context.Background()} {
				_, err := s.Get(ctx, "k")
				wantClosed(t, "Get", err)
				_, err = s.Put(ctx, "k", nil, 0)
				wantClosed(t, "Put", err)
				wantClosed(t, "Delete", s.Delete(ctx, "k", 0))
			}
			for _, err := range s.Keys(t.Context()) {
				wantClosed(t, "Keys", err)
			}
		})
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the caller's client after Close: Ping() = %v, want no error", err)
	}
}

func wantClosed(t *testing.T, call string, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%s after Close = %v, want %v", call, err, fs.ErrClosed)
	}
}

// TestCloseClient closes the client under a store: an error, and the end of
// Watch.
func TestCloseClient(t *testing.T) {
	client := connect(t, servertest.Redis(t).URL)
	s := onClient(t, client, newPrefix())
	w := watch(t, s)
	w.wantNews(t, "")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.wantEnd(t); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("Watch() on a closed client = %v, want %v", err, redis.ErrClosed)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("Get() on a closed client = %v, want %v", err, redis.ErrClosed)
	}
}

func TestNothingPrintsThePassword(t *testing.T) {
	const password = "correct-horse-battery-staple"
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Password: password, ContextTimeoutEnabled: true})
	defer client.Close() //nolint:errcheck // it has no connection
	s := onClient(t, client, newPrefix())
	for _, way := range exposure.Of(s, password) {
		t.Errorf("a store shows its password: %s", way)
	}
}
