// Package redisstore is a storage.Store in Redis: one server, servers behind
// Sentinel, or a Cluster. Any number of processes may share it. It needs Redis
// 6.2 or later with Lua scripts.
//
// # What it is for
//
// It is for programs with several processes that have Redis already. The server
// must write its data to disk (appendonly) and must not evict keys: a record
// that is lost is a login that is lost. Where there is PostgreSQL as well,
// postgresstore loses less.
//
// # Types
//
// [Open] connects to a URL. [New] uses a client of the caller. Both return a
// [Store], which is a storage.Lister and a storage.Watcher. [Options] are those
// of both.
//
// Values are stored as they are. Put storage.Sealed above the store.
//
// # Example
//
//	rows, err := redisstore.Open(ctx, os.Getenv("REDIS_URL"), nil)
//	store, err := storage.Sealed(rows, keys)
//
// # Concurrency
//
// A Store is safe for concurrent use by goroutines and by processes.
//
// # Errors
//
// storage.ErrCorrupt means that the value under a key is not a record of the
// store. After Close, errors wrap fs.ErrClosed. No error shows a password.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
)

// Options adjusts a [Store]. The zero value is the safe default.
type Options struct {
	// Prefix is the beginning of every key, so that several stores, and other data,
	// can share a database. Stores with different prefixes never see each other's
	// records. It consists of [A-Za-z0-9:._-] and ends with a colon. It may contain
	// one hash tag such as {authtrip}, which puts all records into one slot of a
	// Cluster. Empty means "authtrip:".
	Prefix string

	// Channel is the channel on which changes are published, and which Watch
	// listens to. All stores with the same prefix must use the same channel. It
	// consists of [A-Za-z0-9:._-] and at most one hash tag. Empty means Prefix
	// followed by "changes".
	Channel string

	// InsecureNoTLS lets Open connect to another machine without TLS. What is lost:
	// somebody between the two can read the password and all records, and change
	// them. Without it, redis:// is for servers of this machine. New does not look
	// at this option, because there the caller decides about the client.
	InsecureNoTLS bool
}

// Store is a storage.Store in Redis. It is a storage.Lister and a
// storage.Watcher, and safe for concurrent use by goroutines and by processes.
// Values are stored as they are: put storage.Sealed above.
//
// Methods return when ctx ends, also when the server does not answer. There is
// one exception: if ctx is cancelled just after the server has stopped
// answering, a method may return only after the ReadTimeout of the client,
// which is 2 seconds after Open.
//
// When the answer to a write is lost, a change or a deletion of a record is
// sent once more. A new record is not sent again: the store reads whether it is
// there. The error says if the outcome remains unknown.
type Store struct {
	client  redis.UniversalClient // a *redis.Client or a *redis.ClusterClient
	own     bool                  // whether Close closes it
	prefix  string
	channel string
	direct  bool          // whether the client itself ends calls in time
	quiet   time.Duration // how often Watch sends PING
	done    chan struct{} // closed by Close

	start time.Time
	close func() error
	*state
}

// state is what changes while a Store is in use. It is behind a pointer,
// because printing a Store reads its fields, and must not race with calls.
type state struct {
	answered atomic.Int64 // when the server last answered, in nanoseconds after start

	mu     sync.RWMutex // guards closed, and that no call begins after Close; never held across I/O
	closed bool
	calls  sync.WaitGroup
}

var (
	_ storage.Lister  = (*Store)(nil)
	_ storage.Watcher = (*Store)(nil)
)

// Open connects to the server at url and returns the store in it. The url is
// "rediss://user:password@host:6379/0", with TLS, "redis://…" without TLS for a
// server of this machine, or "unix://…". Its query takes the settings of
// redis.ParseURL. One of them, skip_verify=true, accepts any certificate. What
// is lost: somebody between the two can pretend to be the server, and read the
// password and all records. Open fails if the server does not answer. If the
// server is a node of a Cluster, the store is in the whole Cluster. For
// Sentinel see New. Nil options mean all defaults. Call Close at the end.
func Open(ctx context.Context, url string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	settings, err := parse(url)
	if err != nil {
		return nil, err
	}
	if err := o.checkTLS(settings); err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	settings.Dialer = o.dialer(settings.TLSConfig, settings.DialTimeout)
	settings.ContextTimeoutEnabled = true
	settings.DialerRetries = 1 // Close waits for them, and the client tries each command again itself
	if settings.ReadTimeout == 0 {
		settings.ReadTimeout = readTime
	}
	client := redis.NewClient(settings)
	s, err := openOn(ctx, client, o)
	if err != nil {
		return nil, err
	}
	node, err := s.inCluster(ctx, client)
	if err == nil && !node {
		return s, nil
	}
	if e := s.Close(); err != nil || e != nil {
		return nil, s.explain(ctx, "open", "", errors.Join(err, e))
	}
	return openCluster(ctx, url, settings, o)
}

// openOn returns the store behind a client that Open has made, if the server
// answers.
func openOn(ctx context.Context, client redis.UniversalClient, o *Options) (*Store, error) {
	s, err := newStore(client, o)
	if err != nil {
		_ = client.Close() // it has no connection yet
		return nil, err
	}
	s.own = true
	if err := s.ping(ctx); err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// New returns the store behind client. The client is a *redis.Client, which
// NewFailoverClient for Sentinel also returns, or a *redis.ClusterClient. New
// refuses a client that may read stale data: with client-side caching, or with
// reads from replicas. New does not connect, and Close leaves client open. Nil
// options mean all defaults.
//
// For speed, set ContextTimeoutEnabled, and timeouts of at most 5 seconds.
// Without them, each call needs a goroutine of its own in order to return when
// its ctx ends. With a *redis.ClusterClient each call always needs one.
func New(client redis.UniversalClient, o *Options) (*Store, error) {
	if err := checkClient(client); err != nil {
		return nil, err
	}
	return newStore(client, o)
}

func newStore(client redis.UniversalClient, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	prefix, channel, err := o.names()
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, prefix: prefix, channel: channel, quiet: quietTime, done: make(chan struct{}), start: time.Now(), state: new(state)}
	s.answered.Store(-int64(freshTime)) // not yet

	// The client of a Cluster may ask one node after another, each with its own
	// timeout.
	if c, ok := client.(*redis.Client); ok {
		s.direct = isDirect(c.Options())
	}
	s.close = sync.OnceValue(s.shut)
	return s, nil
}

// checkClient returns an error if a store cannot use a client.
func checkClient(client redis.UniversalClient) error {
	switch c := client.(type) {
	case *redis.Client:
		if c == nil {
			return errNoClient
		}
		if o := c.Options(); o.ClientSideCache != nil || o.ClientSideCacheConfig != nil {
			return errors.New("redisstore: the client caches, so it may read stale records: leave ClientSideCache and ClientSideCacheConfig out")
		}
	case *redis.ClusterClient:
		if c == nil {
			return errNoClient
		}
		if c.Options().ReadOnly {
			return errors.New("redisstore: the client reads from replicas, which lag behind: leave ReadOnly, RouteByLatency and RouteRandomly out")
		}
	case nil:
		return errNoClient
	default:
		return fmt.Errorf("redisstore: a %T cannot keep records: pass a *redis.Client or a *redis.ClusterClient", client)
	}
	return nil
}

// ping returns nil if the server answers.
func (s *Store) ping(ctx context.Context) error {
	return s.explain(ctx, "open", "", s.do(ctx, func() error { return s.client.Ping(ctx).Err() }))
}

// Close ends every Watch. If Open made the client, Close closes it, which ends
// its connections, and waits for its commands. A client that New was given
// stays open. Other methods then return an error that wraps fs.ErrClosed. A
// second Close does nothing and returns the same error.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.done)
	if !s.own {
		return nil
	}
	err := s.client.Close()
	s.calls.Wait()
	if err != nil {
		return fmt.Errorf("redisstore: close: %w", err)
	}
	return nil
}

// name returns the key of Redis for a key of the store.
func (s *Store) name(key string) string { return s.prefix + key }

// keyOf returns the key of the store for a key of Redis. It returns false if
// there is none.
func (s *Store) keyOf(name string) (string, bool) {
	key, ok := strings.CutPrefix(name, s.prefix)
	return key, ok && storage.CheckKey(key) == nil
}
