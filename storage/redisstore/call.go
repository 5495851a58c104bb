package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
)

const (
	// freshTime is how long after an answer the server is expected to answer
	// again.
	freshTime = time.Second

	// readTime is how long a client of our own waits for an answer.
	readTime = 2 * time.Second

	// mostReadTime is the longest timeout of a client whose calls need no goroutine
	// of their own.
	mostReadTime = 5 * time.Second
)

// do calls f, which carries out a command with ctx. After an error, nobody may
// read what f sets: do returns when ctx ends, and f may go on until the
// client's own timeout.
//
// That needs a goroutine, which costs as much as a round trip to a near server.
// So there is none while the server answers. Then the client ends the call at
// the deadline of ctx, or at its own timeout if ctx is cancelled at the moment
// when the server stops answering.
func (s *Store) do(ctx context.Context, f func() error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !s.begin() {
		return errClosed
	}
	if ctx.Done() == nil || s.direct && s.sinceAnswer() < freshTime {
		return s.finish(f)
	}
	answered := make(chan error, 1)
	go func() { answered <- s.finish(f) }()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finish calls f, notes whether the server has answered, and counts the call as
// done.
func (s *Store) finish(f func() error) error {
	defer s.calls.Done()
	err := f()
	if err == nil || isAnswer(err) {
		s.answered.Store(int64(time.Since(s.start)))
	}
	return err
}

// sinceAnswer returns how long ago the server answered.
func (s *Store) sinceAnswer() time.Duration {
	return time.Since(s.start) - time.Duration(s.answered.Load())
}

// isDirect reports whether a client by itself ends calls soon after their ctx.
func isDirect(o *redis.Options) bool {
	return o.ContextTimeoutEnabled && 0 < o.ReadTimeout && o.ReadTimeout <= mostReadTime && 0 < o.WriteTimeout && o.WriteTimeout <= mostReadTime
}

// begin counts a call, and reports false after Close. A caller of begin must
// call s.calls.Done.
func (s *Store) begin() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.closed {
		s.calls.Add(1)
	}
	return !s.closed
}

func (s *Store) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// create runs putScript where nothing must be stored. If the answer is lost, it
// does not run the script again, and reads instead. Another process may have
// seen and deleted the record meanwhile, and a version must never return.
func (s *Store) create(ctx context.Context, key string, version storage.Version, args []any) error {
	answer, err := s.attempt(ctx, putScript, key, args)
	if !isLost(ctx, err) {
		return meaning(answer, err)
	}
	switch r, readErr := s.read(ctx, key); {
	case readErr != nil:
		return err // if there is nothing now, there may have been something
	case r.Version != version:
		return errOvertaken
	}
	return nil
}

// change runs a script where a version must be stored. If the answer is lost,
// it runs the script once more. That cannot write twice, because the version
// that was stored before never returns. A conflict of the second attempt proves
// nothing: the first attempt may have succeeded, and another writer come after
// it.
func (s *Store) change(ctx context.Context, sc script, key string, args []any) error {
	answer, err := s.attempt(ctx, sc, key, args)
	if !isLost(ctx, err) {
		return meaning(answer, err)
	}
	answer, err = s.attempt(ctx, sc, key, args)
	if err == nil && answer == answerConflict {
		return errOvertaken
	}
	return meaning(answer, err)
}

// meaning returns what the answer of a script means, or err if there is none.
func meaning(answer int64, err error) error {
	switch {
	case err != nil:
		return err
	case answer == answerDone:
		return nil
	case answer == answerConflict:
		return storage.ErrConflict
	}
	return errNoRecord
}

// attempt runs a script, and once more if the server is a replica. The replica
// has written nothing, and the client has dropped the connection.
func (s *Store) attempt(ctx context.Context, sc script, key string, args []any) (int64, error) {
	answer, err := s.run(ctx, sc, key, args)
	if redis.IsReadOnlyError(err) {
		return s.run(ctx, sc, key, args)
	}
	return answer, err
}

// run runs a script by its name, or by its text if the server does not know it
// yet.
func (s *Store) run(ctx context.Context, sc script, key string, args []any) (int64, error) {
	answer, err := s.eval(ctx, "evalsha", sc.sha, key, args)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return s.eval(ctx, "eval", sc.source, key, args)
	}
	return answer, err
}

func (s *Store) eval(ctx context.Context, command, script, key string, args []any) (int64, error) {
	cmd := once{redis.NewCmd(ctx, append([]any{command, script, 1, s.name(key)}, args...)...)}
	cmd.SetFirstKeyPos(3)
	if err := s.do(ctx, func() error { return s.client.Process(ctx, cmd) }); err != nil {
		return 0, err
	}
	return cmd.Int64()
}

// once is a command that the client does not repeat by itself. The client would
// not say that it did.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }
