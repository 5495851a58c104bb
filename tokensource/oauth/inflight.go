package oauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

const (
	defaultInFlight = 64
	patience        = 5 * time.Second // how long a request waits for others to end
)

var errBusy = errors.New("oauth: too many requests of this kind are under way: the authorization server answers slowly or not at all")

// bounded are the kinds of requests of which a number may be under way. A
// refresh is not limited here: package grant limits refreshes before it
// announces them.
var bounded = []string{opExchange, opIdentity, opRevoke, opClientCredentials, opPush, opDevice, opDeviceCode, opJWTBearer, opTokenExchange, opExtension}

// limits bound how many requests of each kind are under way (G10). All copies
// of a Client share them. A kind takes memory from its first request on.
type limits struct {
	most int

	mu    sync.Mutex // guards slots; never held while waiting
	slots map[string]chan struct{}
}

func newLimits(most int) *limits {
	if most == 0 {
		most = defaultInFlight
	}
	return &limits{most: most}
}

// of returns the slots for a kind of request. Each request under way fills one.
func (l *limits) of(op string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slots == nil {
		l.slots = map[string]chan struct{}{}
	}
	if l.slots[op] == nil {
		l.slots[op] = make(chan struct{}, l.most)
	}
	return l.slots[op]
}

// enter waits until one more request may be under way. The caller must call
// leave when the request has ended.
func (l *limits) enter(ctx context.Context, op string) (leave func(), err error) {
	if !slices.Contains(bounded, op) {
		return func() {}, nil
	}
	slots := l.of(op)
	leave = func() { <-slots }
	select {
	case slots <- struct{}{}:
		return leave, nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: ended(ctx)}
	case <-timer.C:
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, RetryAfter: patience, Err: errBusy}
	}
}
