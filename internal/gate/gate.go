// Package gate bounds how many pieces of work are under way at once (G10).
//
// A [Gate] is one bound. [Shares] are a bound for several parties, of which
// none takes all places (G17). Everything is safe for concurrent use. There are
// no errors.
package gate

import "context"

// Gate bounds how many pieces of work are under way at once (G10). Its capacity
// is that number. It is safe for concurrent use.
type Gate chan struct{}

// Enter waits until one more piece of work may begin, and counts it. It returns
// false if ctx ends first.
func (g Gate) Enter(ctx context.Context) bool {
	select {
	case g <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// TryEnter counts one more piece of work, and returns true, if it may begin at
// once.
func (g Gate) TryEnter() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

// Leave ends a piece of work that Enter has counted.
func (g Gate) Leave() { <-g }
