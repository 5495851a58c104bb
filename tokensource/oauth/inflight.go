package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

const (
	defaultInFlight = 64
	patience        = 5 * time.Second // how long a request waits for others to end
)

var errBusy = errors.New("oauth: too many requests of this kind are under way: the authorization server answers slowly or not at all")

// limits bound how many requests of each kind are under way (G10). A refresh is
// not limited here: package grant limits refreshes before it announces them.
type limits map[string]chan struct{}

func newLimits(most int) limits {
	if most == 0 {
		most = defaultInFlight
	}
	l := limits{}
	for _, op := range []string{opExchange, opIdentity, opRevoke, opClientCredentials, opPush, opDevice, opDeviceCode, opJWTBearer, opTokenExchange, opExtension} {
		l[op] = make(chan struct{}, most)
	}
	return l
}

// enter waits until one more request may be under way. The caller must call
// leave when the request has ended.
func (l limits) enter(ctx context.Context, op string) (leave func(), err error) {
	slots, ok := l[op]
	if !ok {
		return func() {}, nil
	}
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
