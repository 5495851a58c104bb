package grant

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// How often the store is asked while another process redeems: after each further tenth of the time waited so far, so that
// nobody waits much longer than that process works. Where the store tells of changes, asking is for news that got lost.
const (
	firstPoll        = time.Millisecond
	firstPollWatched = 25 * time.Millisecond
	lastPoll         = 250 * time.Millisecond
)

func (k *Keeper) poll(waited time.Duration) time.Duration {
	first := firstPoll
	if k.watching.Load() {
		first = firstPollWatched
	}
	return min(max(waited/10, first), lastPoll)
}

// need says why a token is to be renewed.
type need struct {
	rejected string // the access token that will not do; empty if it has expired
	ahead    bool   // it is still good, and only a refresh ahead of its expiry is wanted
}

// renewed is the outcome of a flight, and the need that it was begun for.
type renewed struct {
	need  need
	token *oauth2.Token
	err   error
}

// renew returns a valid token other than rejected. However many callers ask, one flight asks the store, and at most one
// request asks the server.
func (k *Keeper) renew(ctx context.Context, subject, rejected string) (*oauth2.Token, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	for {
		c := k.cache.load(subject)
		if c != nil && rejected != "" && c.record.usable(time.Now(), rejected) {
			return c.token, nil
		}
		out, err := flight.Wait[renewed](ctx, k.renewal(ctx, subject, need{rejected: rejected}))
		switch {
		case err != nil:
			return nil, err
		case out.err == nil && out.token.AccessToken != rejected:
			return out.token, nil
		case out.need.rejected == rejected:
			return nil, out.err
		}
		// The flight was begun for another token, and its outcome says nothing about this one: ask again.
	}
}

// refreshAhead starts a refresh that nobody waits for. Callers keep the old token meanwhile.
func (k *Keeper) refreshAhead(ctx context.Context, subject string, c *cached) {
	const untilNextLook = 5 * time.Second
	k.postpone(subject, c, untilNextLook)
	k.renewal(ctx, subject, need{rejected: c.token.AccessToken, ahead: true})
}

// renewal joins the flight of a subject, or begins one. It may have to wait for another process to finish or to be given
// up, and then needs the time of a redemption of its own.
func (k *Keeper) renewal(ctx context.Context, subject string, n need) <-chan singleflight.Result {
	key := k.key(subject)
	limit := 2*k.lease + clockSkew + settleTime(k.o.StoreTimeout)
	return k.flights.DoChan(key, k.flight(ctx, limit, func(ctx context.Context) (any, error) {
		defer k.news.drop(key)
		tok, err := k.lead(ctx, key, n)
		if errors.Is(err, tokensource.ErrNoGrant) {
			k.cache.forget(subject)
		}
		return renewed{need: n, token: tok, err: err}, nil
	}))
}

// lead brings about a token that satisfies n: it takes the one that somebody else has stored, waits for whoever is
// redeeming, or announces its own redemption in the store and makes it.
func (k *Keeper) lead(ctx context.Context, key string, n need) (*oauth2.Token, error) {
	watched := holder{settle: settleTime(k.o.StoreTimeout)}
	begun := time.Now()
	news := k.news.await(key)
	for {
		k.news.heard(key) // it is in what is read now
		r, version, err := k.read(ctx, key)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if r.usable(now, n.rejected) {
			return k.showLatest(key, r, version), nil
		}
		if err := k.refusal(r, n, now); err != nil {
			return nil, err
		}
		if r.intent.id != "" && !watched.gone(r.intent, k.name, now) {
			if r.intent.holder() == k.name {
				return nil, lostAnswer(r.intent.until.Sub(now))
			}
			if !k.sleepUntilNews(ctx, k.poll(now.Sub(begun)), news, version) {
				return nil, k.interrupted(ctx)
			}
			continue
		}
		if reason := k.hopeless(r); reason != "" {
			return nil, k.giveUp(ctx, key, r, version, reason)
		}
		if err := k.withdrawal(key); err != nil {
			return nil, err
		}
		if err := k.breaker.Allow(now); err != nil {
			return nil, err
		}
		announced, at, err := k.announce(ctx, key, r, version, now)
		if errors.Is(err, storage.ErrConflict) {
			u := k.unsavedAt(key)
			if u != nil && !k.settleUnsaved(ctx, key, u) { // until then read returns it, and not what is stored
				return nil, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: errors.New("the stored grant can be neither read nor written")}
			}
			continue // somebody was faster: see what they did
		}
		if err != nil {
			k.withdraw(key, r, version, announced.intent.id) // nothing was sent
			return nil, err
		}
		return k.redeem(ctx, key, announced, at)
	}
}

// refusal returns why nothing is to be done about r now, or nil.
func (k *Keeper) refusal(r *record, n need, now time.Time) error {
	if err := k.barred(r); err != nil {
		return err
	}
	age := now.Sub(r.obtained)
	if r.access == n.rejected && !n.ahead && r.refreshed && age >= 0 && age < k.o.RenewSpacing {
		return tokensource.ErrJustRenewed
	}
	if pause := r.retryAt.Sub(now); pause > 0 && pause <= pacing.MaxRetryAfter {
		return &tokensource.Error{
			Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: pause,
			Err: errors.New("an earlier attempt failed: the next one must wait"),
		}
	}
	return nil
}

// hopeless returns why the refresh token cannot be redeemed, or an empty reason if it can.
func (k *Keeper) hopeless(r *record) tokensource.Reason {
	switch {
	case r.refresh == "":
		return tokensource.ReasonNoRefreshToken
	case r.intent.id == "", k.o.InDoubt == ResendAlways, k.o.InDoubt == ResendOnce && r.doubts == 0:
		return ""
	}
	return tokensource.ReasonInDoubt
}

// giveUp tells the caller that the user must authorize again, and the store too, unless the access token may still work.
func (k *Keeper) giveUp(ctx context.Context, key string, r *record, version storage.Version, reason tokensource.Reason) error {
	e := &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Reason: reason}
	if reason == tokensource.ReasonNoRefreshToken {
		e.Hint = k.refreshHint()
	}
	if r.expired(time.Now()) {
		if tok := k.bury(ctx, key, r, version, e); tok != nil {
			return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: errors.New("the grant has changed meanwhile")}
		}
	}
	return e
}

// announce writes the intent to redeem, before anything is sent.
func (k *Keeper) announce(ctx context.Context, key string, r *record, version storage.Version, now time.Time) (*record, storage.Version, error) {
	next := *r
	if r.intent.id != "" {
		next.doubts++
	}
	next.intent = intent{id: k.name + "/" + randomID(), since: now, until: now.Add(k.lease)}
	at, err := k.write(ctx, key, &next, version)
	return &next, at, err
}

// interrupted is why a flight ended before its time.
func (k *Keeper) interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return tokensource.ErrClosed
	}
	return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: errors.New("another process has been refreshing for too long")}
}

func lostAnswer(pause time.Duration) error {
	return &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: pause, InDoubt: true,
		Err: errors.New("the answer to a refresh was lost: the next attempt must wait"),
	}
}
