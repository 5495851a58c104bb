package derived

import (
	"context"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// fetch waits for a new token.
func (s *state) fetch(ctx context.Context, key string) (*held, error) {
	return flight.Wait[*held](ctx, s.begin(ctx, key, ""))
}

// begin asks for a token, or joins a request that is under way. It does not
// wait. The request continues when ctx ends, because other callers share it.
// The token is to replace one that was rejected, or rejected is empty.
func (s *state) begin(ctx context.Context, key, rejected string) <-chan singleflight.Result {
	return s.fetches.DoChan(key, func() (any, error) {
		ctx, cancel := s.detached(ctx)
		defer cancel()
		old, first := s.held.last(key)
		if old != nil && s.isNew(old, rejected) {
			return old, nil // another caller has got it meanwhile
		}
		if err := s.allowed(key); err != nil {
			return nil, err
		}
		if old == nil {
			old = first
		}
		h, err := s.obtain(ctx, key, old, rejected != "" || first != nil)
		s.report(key, err)
		return h, err
	})
}

// detached returns the context of work that callers share. It ends by itself.
func (s *state) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 3*s.client.Timeout())
}

// isNew reports whether h is what a caller wants who has found nothing, or
// whose token was rejected.
func (s *state) isNew(h *held, rejected string) bool {
	if rejected != "" {
		return h.token.AccessToken != rejected
	}
	return h.token.Expiry.IsZero() || time.Until(h.token.Expiry.Round(0)) > early(h.token)
}

// obtain asks for a token that follows old, which may be nil. If the server
// refuses the token of the parent, the parent renews it once.
func (s *state) obtain(ctx context.Context, key string, old *held, renewed bool) (*held, error) {
	h := &held{client: s.client, renewed: renewed, name: strconv.FormatUint(s.answers.Add(1), 10)}
	h.line = h.name
	if old != nil {
		h.client, h.line = old.client, old.line
	}
	if renewed {
		s.trials.Renewing(h.line)
	}
	var err error
	if h.client, err = s.bound(ctx, h.client); err != nil {
		return nil, err
	}
	if s.parent != nil {
		if h.parent, err = tokenOf(ctx, s.parent); err != nil {
			return nil, err
		}
	}
	h.token, err = s.ask(ctx, h.client, h.parent)
	if s.parent != nil && refusesParent(err) && ctx.Value(renewedOnce{}) != s && s.renewParent(ctx, h) {
		return s.again(context.WithValue(ctx, renewedOnce{}, s), key, h)
	}
	if err != nil {
		return nil, err
	}
	return s.keep(key, h), nil
}

// renewedOnce is the key of a context whose value is the state that has renewed
// the token of its parent after a refusal. It does not do so once more.
type renewedOnce struct{}

// again asks once more, with the token that the parent has now.
func (s *state) again(ctx context.Context, key string, h *held) (*held, error) {
	next, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	if next != key { // others may have begun with the new token of the parent
		return flight.Wait[*held](ctx, s.begin(ctx, next, ""))
	}
	if h.token, err = s.ask(ctx, h.client, h.parent); err != nil {
		return nil, err
	}
	return s.keep(key, h), nil
}

// keep completes an answer and keeps it. A refresh token in it is not used: the
// next token comes in the same way as this one (RFC 6749 section 4.4.3).
func (s *state) keep(key string, h *held) *held {
	if h.token.RefreshToken != "" {
		without := *h.token
		without.RefreshToken = ""
		h.token = &without
	}
	h.at = time.Since(s.begun)
	h.header, _ = bearer.Value(h.token) // the transport says why a token cannot be sent
	s.held.put(key, h)
	return h
}

// bound returns the client with the key of its tokens. All tokens of one user
// are bound to one key, if the client proves possession (DPoP).
func (s *state) bound(ctx context.Context, client *oauth.Client) (*oauth.Client, error) {
	proofs := client.Proofs()
	if proofs == nil || client != s.client {
		return client, nil
	}
	key, err := proofs.NewKey(ctx)
	if err != nil {
		return nil, &tokensource.Error{Op: "key", Kind: tokensource.ErrTemporary, Err: err}
	}
	return client.WithProver(key), nil
}
