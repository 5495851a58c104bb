package derived

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/tokensource"
)

// renew returns the token in place of rejected. It may be the same one.
func (s *state) renew(ctx context.Context, rejected string) (*held, error) {
	key, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	h := s.held.get(key)
	switch {
	case h == nil:
		return s.fetch(ctx, key)
	case h.token.AccessToken != rejected:
		return h, nil
	case !s.mayRenew(h):
		return nil, tokensource.ErrJustRenewed
	}
	return flight.Wait[*held](ctx, s.beginRenewal(ctx, key, h))
}

// mayRenew records that the token of h was rejected. It reports whether another
// renewal may begin.
func (s *state) mayRenew(h *held) bool {
	now := time.Since(s.begun)
	s.trials.Reject(h.line, h.name, now)
	return !h.renewed || now-h.at >= s.trials.Spacing(h.line, h.name)
}

// beginRenewal renews the token of the parent, and then asks for a token in
// place of the rejected one of h. Callers whose token is of the same answer
// share this work.
func (s *state) beginRenewal(ctx context.Context, key string, h *held) <-chan singleflight.Result {
	return s.renews.DoChan(h.name+" "+key, func() (any, error) {
		ctx, cancel := s.detached(ctx)
		defer cancel()
		if now := s.held.get(key); now != nil && now != h {
			return now, nil // another caller has renewed it meanwhile
		}
		if err := s.renewParentOf(ctx, h); err != nil {
			return nil, err
		}
		next, err := s.key(ctx)
		if err != nil {
			return nil, err
		}
		if next != key {
			s.held.inherit(next, h)
		}
		return s.replace(ctx, next, h)
	})
}

// replace asks for a token in place of the rejected one of h. A request that
// was under way may have begun because of another token: then its result can be
// h again, and the server was not asked.
func (s *state) replace(ctx context.Context, key string, h *held) (now *held, err error) {
	const tries = 3
	for range tries {
		now, err = flight.Wait[*held](ctx, s.begin(ctx, key, h.token.AccessToken))
		if err != nil || now != h {
			break
		}
	}
	return now, err
}

// renewParentOf renews the token of the parent, if that can be done. The parent
// may have renewed it moments ago, or may not be able to do so now: then its
// present token is exchanged once more.
func (s *state) renewParentOf(ctx context.Context, h *held) error {
	r, ok := s.parent.(tokensource.Renewer)
	if !ok {
		return nil
	}
	_, err := r.Renew(ctx, h.parent)
	if errors.Is(err, tokensource.ErrJustRenewed) || errors.Is(err, tokensource.ErrTemporary) {
		return nil
	}
	return err
}

// renewParent renews the token of the parent after the server has refused it.
// It reports whether there is another one.
func (s *state) renewParent(ctx context.Context, h *held) bool {
	r, ok := s.parent.(tokensource.Renewer)
	if !ok {
		return false
	}
	tok, err := r.Renew(ctx, h.parent)
	if err != nil || tok == nil || tok.AccessToken == h.parent.AccessToken {
		return false
	}
	h.parent = tok
	return true
}

// refusesParent reports whether the server refused the token of the parent. RFC
// 8693 section 2.2.2 has invalid_request for that, and servers use other codes
// too.
func refusesParent(err error) bool {
	e, ok := errors.AsType[*tokensource.Error](err)
	if !ok || !ofThis(e) {
		return false
	}
	switch e.Code {
	case "invalid_grant", "invalid_token", "invalid_request", "expired_token":
		return true
	}
	return errors.Is(err, tokensource.ErrReauthorize)
}

// ofThis reports whether an error is one of the requests of this package, and
// not of the source below it.
func ofThis(e *tokensource.Error) bool {
	return e.Op == "token_exchange" || e.Op == "jwt_bearer" || e.Op == "client_credentials"
}

// allowed returns why no attempt may be made now, or nil.
func (s *state) allowed(key string) error {
	now := time.Now()
	if err := s.held.refused(key, now); err != nil {
		return err
	}
	return s.breaker.Allow(now)
}

// report records the outcome of an attempt. What concerns all users slows all
// down. A refusal of the token of one user slows the attempts with that token
// (G17).
func (s *state) report(key string, err error) {
	now := time.Now()
	e, _ := errors.AsType[*tokensource.Error](err)
	switch {
	case !s.ofUsers(), err == nil:
		s.breaker.Report(err, key, now, jitter())
	case e == nil || !ofThis(e): // of the source below, which has pauses of its own
	case pacing.Shared(err):
		s.breaker.Report(err, key, now, jitter())
	case !errors.Is(err, tokensource.ErrTemporary):
		s.held.refuse(key, e, now)
	}
}
