package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
)

const (
	// freshTime is how long an answer of the server is taken as a sign that it will
	// answer again.
	freshTime = time.Second

	// readTime is how long a client of our own waits for an answer.
	readTime = 2 * time.Second

	// mostReadTime is how long any client may wait, for its calls to be made
	// without a goroutine.
	mostReadTime = 5 * time.Second
)

// do calls f, which carries out a command with ctx. What f sets must not be
// looked at after an error: it returns when ctx ends, though f may wait until
// the client's own timeout.
//
// The goroutine that this takes costs as much as a round trip to a near server.
// So there is none while the server answers: then the client ends the call at
// the deadline of ctx, or at its own timeout if ctx is cancelled just when the
// server falls silent.
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

// create runs putScript where nothing must be stored. If the answer is lost it
// does not run it again, but looks for version: somebody may have seen and
// deleted the record meanwhile, and a version must never return.
func (s *Store) create(ctx context.Context, key string, version storage.Version, args []any) error {
	answer, err := s.attempt(ctx, putScript, key, args)
	if !isLost(ctx, err) {
		return meaning(answer, err)
	}
	switch r, readErr := s.read(ctx, key); {
	case readErr != nil:
		return err // there may be nothing, and still nobody knows whether there was
	case r.Version != version:
		return errOvertaken
	}
	return nil
}

// change runs a script where a version must be stored. If the answer is lost it
// runs it once more, which cannot write again: what was stored before does not
// return. Then a conflict may be with the writer who came after our own first
// attempt, and is none.
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

// attempt runs a script, and once more on a replica that was the master: it has
// written nothing, and the client has dropped the connection.
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

// once is a command that the client does not repeat by itself: it would not say
// that it did.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }
