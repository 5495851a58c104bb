package grant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// redeem sends the refresh token of r, whose intent has been stored as version, and sees its outcome stored. It returns
// the token that is good now, whoever obtained it.
func (k *Keeper) redeem(ctx context.Context, key string, r *record, version storage.Version) (*oauth2.Token, error) {
	// The request must have ended, with time left to write, before others believe that this process is gone.
	notAfter := r.intent.until.Add(-leaseMargin)
	tok, err := k.refresh(ctx, r.refresh, notAfter)
	k.breaker.Report(err, time.Now(), rand.Uint64())
	e, _ := errors.AsType[*tokensource.Error](err)
	switch {
	case err == nil:
		return k.adopt(ctx, key, r, version, tok)
	case errors.Is(err, tokensource.ErrReauthorize):
		if r.doubts > 0 {
			e.Reason = tokensource.ReasonInDoubt
		}
		tok := k.bury(ctx, key, r, version, e)
		if tok != nil {
			return tok, nil
		}
		return nil, err
	case e != nil && e.InDoubt:
		// The intent stays: it tells everybody that the refresh token may have been redeemed.
		e.RetryAfter = time.Until(r.intent.until)
	default:
		k.release(ctx, key, r, version, e)
	}
	k.tell(EventRefreshFailed, r.subject, err)
	return nil, err
}

// adopt stores new tokens before anybody sees them. If the store keeps refusing, they are served from memory and written
// in the background.
func (k *Keeper) adopt(ctx context.Context, key string, r *record, version storage.Version, tok *oauth2.Token) (*oauth2.Token, error) {
	next := *r
	next.take(tok, time.Now())
	next.refreshed = true
	w := &unsaved{record: &next, version: version, intent: r.intent.id, old: r.access}
	k.tell(EventRefreshed, next.subject, nil)
	for try := 1; ; try++ {
		done, err := k.settle(ctx, key, w)
		if !errors.Is(err, errNotTaken) {
			return done, err
		}
		if try == saveTries || !k.sleep(ctx, firstSavePause*time.Duration(try)) {
			k.keep(key, w, err)
			return k.show(key, &next, version), nil
		}
	}
}

// settle writes the tokens of w over the intent that they were obtained under, and returns the token that is good now.
// errNotTaken means that the store could not do it, and that it is worth trying again.
func (k *Keeper) settle(ctx context.Context, key string, w *unsaved) (*oauth2.Token, error) {
	k.news.heard(key) // whoever has made that change makes this write fail
	current, version, err := k.overwrite(ctx, key, w.record, w.version, w.intent)
	if errors.Is(err, errOvertaken) && current != nil && w.replaces(current) { // who took over has got nothing, and let go
		current, version, err = k.overwrite(ctx, key, w.record, version, "")
	}
	switch {
	case err == nil:
		return k.showLatest(key, current, version), nil
	case !errors.Is(err, errOvertaken):
		return nil, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	k.discard(ctx, w.record, current)
	if current == nil {
		return nil, noGrant()
	}
	if err := k.barred(current); err != nil {
		return nil, err
	}
	tok := k.show(key, current, version)
	if !current.usable(time.Now(), w.old) { // whoever has taken over may not have got further than an intent of its own
		return nil, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: errors.New("another process has taken over the refresh")}
	}
	return tok, nil
}

var (
	errOvertaken = errors.New("grant: the stored grant is not the one that was announced")
	errNotTaken  = errors.New("grant: the store has not taken the renewed tokens")
)

// overwrite stores next over the intent that this process announced, even if the record was rewritten meanwhile without
// touching the intent, as re-encryption does. errOvertaken comes with what is stored instead, or nil if nothing is.
func (k *Keeper) overwrite(ctx context.Context, key string, next *record, version storage.Version, intent string) (*record, storage.Version, error) {
	for {
		at, err := k.write(ctx, key, next, version)
		if !errors.Is(err, storage.ErrConflict) {
			return next, at, err
		}
		current, at, err := k.readStored(ctx, key)
		switch {
		case errors.Is(err, tokensource.ErrNoGrant):
			return nil, 0, errOvertaken
		case err != nil:
			return nil, 0, err
		case bytes.Equal(current.encode(), next.encode()): // an earlier write of ours was reported as failed, and was not
			return next, at, nil
		case current.intent.id != intent, intent == "" && current.access != next.access: // no intent: it may be a new login
			return current, at, errOvertaken
		}
		version = at
	}
}

// bury marks a grant dead, if the store still holds the refresh token that was refused. If somebody has stored another
// token meanwhile, it returns that one.
func (k *Keeper) bury(ctx context.Context, key string, r *record, version storage.Version, e *tokensource.Error) *oauth2.Token {
	next := *r
	next.state, next.reason, next.code = stateDead, e.Reason, e.Code
	next.intent = intent{}
	current, at, err := k.overwrite(ctx, key, &next, version, r.intent.id)
	switch {
	case err == nil:
		k.show(key, current, at)
		k.tell(EventDied, r.subject, e)
	case errors.Is(err, errOvertaken) && current != nil && current.usable(time.Now(), r.access):
		return k.show(key, current, at)
	case !errors.Is(err, errOvertaken):
		// Not known to be dead: the store could not confirm it. The abandoned intent will bring the question up again.
		e.Kind, e.Reason = tokensource.ErrTemporary, ""
		e.Err = errors.Join(e.Err, err)
	}
	return nil
}

// release takes the intent back after an attempt that has changed nothing at the server, and notes when the next one may
// be made. If that cannot be written now, it is written later.
func (k *Keeper) release(ctx context.Context, key string, r *record, version storage.Version, e *tokensource.Error) {
	next := *r
	next.intent = intent{}
	next.failures++
	var asked time.Duration
	if e != nil {
		asked = e.RetryAfter
	}
	pause := pacing.Backoff(next.failures, asked, rand.Uint64())
	next.retryAt = time.Now().Add(pause)
	if e != nil && e.RetryAfter == 0 && errors.Is(e, tokensource.ErrTemporary) {
		e.RetryAfter = pause
	}
	current, at, err := k.overwrite(ctx, key, &next, version, r.intent.id)
	switch {
	case err == nil:
		k.show(key, current, at)
	case !errors.Is(err, errOvertaken):
		k.withdraw(key, &next, version, r.intent.id)
	}
}

// showLatest is show in a flight. If another version was told of since this one was read or written, it is only shown until
// the store has been asked.
func (k *Keeper) showLatest(key string, r *record, version storage.Version) *oauth2.Token {
	tok := k.show(key, r, version)
	if told, ok := k.news.heard(key); ok && told != version {
		k.cache.suspect(storage.Change{Key: key})
	}
	return tok
}

// show publishes a record that was just read or written, and returns its token.
func (k *Keeper) show(key string, r *record, version storage.Version) *oauth2.Token {
	c := k.view(r, version)
	k.cache.publish(r.subject, key, c)
	return c.token
}

// refresh sends the refresh token, and sends nothing after notAfter.
func (k *Keeper) refresh(ctx context.Context, token string, notAfter time.Time) (*oauth2.Token, error) {
	ctx, cancel := context.WithDeadline(ctx, notAfter)
	defer cancel()
	return k.client.Refresh(ctx, token)
}

// refreshHint says why there may be no refresh token.
func (k *Keeper) refreshHint() string {
	_, err := k.client.Refresh(context.Background(), "") // sends nothing
	e, _ := errors.AsType[*tokensource.Error](err)
	return e.Hint
}
