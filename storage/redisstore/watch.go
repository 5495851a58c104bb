package redisstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
)

const (
	// quietTime is how often Watch checks that the server still answers. After
	// twice this time without an answer it connects again.
	quietTime = 5 * time.Second

	// retryTime is how long Watch waits before it connects again.
	retryTime = 100 * time.Millisecond
)

// Watch implements storage.Watcher. It listens on one connection. It connects
// again whenever necessary, and then calls changed with the zero Change. It
// returns when ctx ends, when the store or its client is closed, or when the
// server does not permit it to listen. In a Cluster the nodes forward
// notifications to each other. If the connection between two nodes breaks,
// notifications are lost, and no error says so.
func (s *Store) Watch(ctx context.Context, changed func(storage.Change)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	told, ended := &listener{changed: changed}, make(chan error, 1)
	if err := context.Cause(ctx); err != nil {
		return s.explain(ctx, "watch", "", err)
	}
	if !s.begin() {
		return errClosed
	}
	go func() { // connecting does not end with ctx at once, but Watch does
		defer s.calls.Done()
		ended <- s.listen(ctx, told)
	}()
	defer told.end()
	select {
	case <-ctx.Done():
		return s.explain(ctx, "watch", "", context.Cause(ctx))
	case <-s.done:
		return errClosed
	case err := <-ended:
		return s.explain(ctx, "watch", "", err)
	}
}

// listener passes notifications on until the end of Watch. The goroutine that
// reads a notification does it. Another one would have to be woken up each
// time, which costs more than the reading.
type listener struct {
	changed func(storage.Change)

	mu   sync.Mutex // guards over, and is held while changed runs
	over bool
}

// tell passes a message on: a change, or the zero Change for a new
// subscription.
func (l *listener) tell(message any) {
	var c storage.Change
	switch m := message.(type) {
	case *redis.Subscription:
	case *redis.Message:
		c = storage.ParseChange(m.Payload)
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.changed(c)
	}
}

// end lets no further call of changed begin, and waits for the one that runs.
func (l *listener) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// listen passes the notifications on until ctx ends, or until another attempt
// would fail too.
func (s *Store) listen(ctx context.Context, to *listener) error {
	for {
		err := s.subscribe(ctx, to)
		if ctx.Err() != nil || isAnswer(err) && !isPassing(err) || errors.Is(err, redis.ErrClosed) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retryTime):
		}
	}
}

// isPassing reports whether a server that answers in this way may soon give
// another answer.
func isPassing(err error) bool {
	return redis.IsLoadingError(err) || redis.IsMasterDownError(err) || redis.IsClusterDownError(err) ||
		redis.IsTryAgainError(err) || redis.IsMaxClientsError(err)
}

// subscribe listens on one connection until it fails.
func (s *Store) subscribe(ctx context.Context, to *listener) error {
	sub := s.client.Subscribe(ctx)
	defer sub.Close() //nolint:errcheck // closed already if ctx has ended
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
	if err := sub.Subscribe(ctx, s.channel); err != nil {
		return err
	}
	defer s.heartbeat(ctx, sub)()
	for {
		message, err := sub.ReceiveTimeout(ctx, 2*s.quiet)
		if err != nil {
			return err
		}
		to.tell(message)
	}
}

// heartbeat sends PING until stop is called. The answers arrive where the
// notifications do.
func (s *Store) heartbeat(ctx context.Context, sub *redis.PubSub) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() {
		beat := time.NewTicker(s.quiet)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				_ = sub.Ping(ctx)
			}
		}
	})
	return func() {
		cancel()
		beating.Wait()
	}
}
