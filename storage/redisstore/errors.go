package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/storage"
)

var (
	errClosed = fmt.Errorf("redisstore: the store is closed: %w", fs.ErrClosed)

	errNoClient = errors.New("redisstore: nil client: make one with redis.NewClient or redis.NewUniversalClient")

	// errNoRecord means that a key of the store holds a value that the store
	// has not written.
	errNoRecord = fmt.Errorf("%w: what Redis keeps there was not written by this package", storage.ErrCorrupt)

	// errOvertaken stands for a conflict that does not prove that nothing was
	// written.
	errOvertaken = errors.New("the answer was lost, and since then somebody else has written: read the record again")
)

// endTime is how long a ctx may take to end after its deadline.
const endTime = time.Second

// ended returns nil, or the cause of the end of ctx. A connection has the
// deadline of ctx too, and may end first. Then ended waits for ctx, but not for
// long, because a ctx of the caller's own type may never end.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		select {
		case <-ctx.Done():
		case <-time.After(endTime):
		}
	}
	return context.Cause(ctx)
}

// isNil reports whether err is the answer that there is nothing. An error that
// wraps redis.Nil is another one: Sentinel's client cannot connect because no
// Sentinel knows the master.
func isNil(err error) bool {
	return err == redis.Nil //nolint:errorlint // only the error itself is the server's answer
}

// isAnswer reports whether err comes from the server.
func isAnswer(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok && (isNil(err) || !errors.Is(err, redis.Nil))
}

// isLost reports whether a command failed in such a way that the server may
// have carried it out.
func isLost(ctx context.Context, err error) bool {
	if err == nil || isAnswer(err) || errors.Is(err, redis.Nil) || ended(ctx) != nil {
		return false
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return false
	}
	return !errors.Is(err, fs.ErrClosed) && !errors.Is(err, redis.ErrClosed) && !errors.Is(err, redis.ErrPoolTimeout)
}

// explain adds to the error of a call what was called, what to do, and, if that
// is why, the cause of the end of ctx.
func (s *Store) explain(ctx context.Context, op, key string, err error) error {
	if err == nil || errors.Is(err, storage.ErrConflict) || errors.Is(err, errClosed) {
		return err
	}
	if errors.Is(err, redis.ErrClosed) && s.isClosed() {
		return errClosed
	}
	if cause := ended(ctx); cause != nil && !isAnswer(err) {
		return fmt.Errorf("redisstore: %s: %w", op, cause)
	}
	if errors.Is(err, errNoRecord) || strings.Contains(err.Error(), "WRONGTYPE") { // of a script, Redis 6 has it inside the text
		return fmt.Errorf("redisstore: %s: %w; rename or remove %s, or set another Prefix", op, errNoRecord, s.name(key))
	}
	if redis.HasErrorPrefix(err, "unknown command") { // and then the arguments
		return fmt.Errorf("redisstore: %s: the server does not know a command: allow those that the documentation lists", op)
	}
	if advice := adviceFor(err); advice != "" {
		return fmt.Errorf("redisstore: %s: %s: %w", op, advice, err)
	}
	return fmt.Errorf("redisstore: %s: %w", op, err)
}

func adviceFor(err error) string {
	switch {
	case redis.IsAuthError(err):
		return "check the user and the password of the URL or the client"
	case redis.IsPermissionError(err):
		return "give the user the permissions that the documentation lists"
	case redis.IsOOMError(err):
		return "give Redis more memory, or the records an instance of their own"
	case redis.IsReadOnlyError(err):
		return "connect to the master: this server is a replica"
	}
	return ""
}
