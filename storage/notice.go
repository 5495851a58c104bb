package storage

import "context"

type withoutNotice struct{}

// WithoutNotice returns a context for a Put of which no process needs to hear.
// A [Watcher] may leave out the notification of such a Put. Of a later Put or
// Delete of the key it notifies as usual.
//
// It is for a value that only those need who read the record anyway. A busy
// program then has fewer notifications to send, and its processes have fewer
// records to read again. Package grant stores in this way that a process is
// about to refresh a grant.
func WithoutNotice(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutNotice{}, true)
}

// Notifies reports whether a Put with ctx is one of which a [Watcher] must
// notify. It returns false for a context of [WithoutNotice]. A Watcher that
// always notifies need not ask.
func Notifies(ctx context.Context) bool { return ctx.Value(withoutNotice{}) == nil }
