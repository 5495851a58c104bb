package tokensource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
)

// redeem sends the refresh token of r, whose intent has been stored as version, and sees its outcome stored. It returns
// the token that is good now, whoever obtained it.
func (g *Grants) redeem(ctx context.Context, key string, r *record, version storage.Version) (*oauth2.Token, error) {
	// The request must have ended, with time left to write, before others believe that this process is gone.
	notAfter := r.intent.until.Add(-leaseMargin)
	tok, err := g.client.refresh(ctx, r.refresh, notAfter)
	g.breaker.report(err, time.Now())
	e, _ := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return g.adopt(ctx, key, r, version, tok)
	case errors.Is(err, ErrReauthorize):
		if r.doubts > 0 {
			e.Reason = ReasonInDoubt
		}
		tok := g.bury(ctx, key, r, version, e)
		if tok != nil {
			return tok, nil
		}
		return nil, err
	case e != nil && e.InDoubt:
		// The intent stays: it tells everybody that the refresh token may have been redeemed.
		e.RetryAfter = time.Until(r.intent.until)
	default:
		g.release(ctx, key, r, version, e)
	}
	g.tell(EventRefreshFailed, r.subject, err)
	return nil, err
}

// adopt stores new tokens before anybody sees them. If the store keeps refusing, they are served from memory and written
// in the background.
func (g *Grants) adopt(ctx context.Context, key string, r *record, version storage.Version, tok *oauth2.Token) (*oauth2.Token, error) {
	next := *r
	next.take(tok, time.Now())
	next.refreshed = true
	w := &unsaved{record: &next, version: version, intent: r.intent.id, old: r.access}
	g.tell(EventRefreshed, next.subject, nil)
	for try := 1; ; try++ {
		done, err := g.settle(ctx, key, w)
		if !errors.Is(err, errNotTaken) {
			return done, err
		}
		if try == saveTries || !g.sleep(ctx, firstSavePause*time.Duration(try)) {
			g.keep(key, w, err)
			return g.show(key, &next, version), nil
		}
	}
}

// settle writes the tokens of w over the intent that they were obtained under, and returns the token that is good now.
// errNotTaken means that the store could not do it, and that it is worth trying again.
func (g *Grants) settle(ctx context.Context, key string, w *unsaved) (*oauth2.Token, error) {
	g.news.heard(key) // whoever has made that change makes this write fail
	current, version, err := g.overwrite(ctx, key, w.record, w.version, w.intent)
	if errors.Is(err, errOvertaken) && current != nil && w.replaces(current) { // who took over has got nothing, and let go
		current, version, err = g.overwrite(ctx, key, w.record, version, "")
	}
	switch {
	case err == nil:
		return g.showLatest(key, current, version), nil
	case !errors.Is(err, errOvertaken):
		return nil, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	g.discard(ctx, w.record, current)
	if current == nil {
		return nil, noGrant()
	}
	if err := g.barred(current); err != nil {
		return nil, err
	}
	tok := g.show(key, current, version)
	if !current.usable(time.Now(), w.old) { // whoever has taken over may not have got further than an intent of its own
		return nil, &Error{Op: "refresh", Kind: ErrTemporary, Err: errors.New("another process has taken over the refresh")}
	}
	return tok, nil
}

var (
	errOvertaken = errors.New("tokensource: the stored grant is not the one that was announced")
	errNotTaken  = errors.New("tokensource: the store has not taken the renewed tokens")
)

// overwrite stores next over the intent that this process announced, even if the record was rewritten meanwhile without
// touching the intent, as re-encryption does. errOvertaken comes with what is stored instead, or nil if nothing is.
func (g *Grants) overwrite(ctx context.Context, key string, next *record, version storage.Version, intent string) (*record, storage.Version, error) {
	for {
		at, err := g.write(ctx, key, next, version)
		if !errors.Is(err, storage.ErrConflict) {
			return next, at, err
		}
		current, at, err := g.readStored(ctx, key)
		switch {
		case errors.Is(err, ErrNoGrant):
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
func (g *Grants) bury(ctx context.Context, key string, r *record, version storage.Version, e *Error) *oauth2.Token {
	next := *r
	next.state, next.reason, next.code = stateDead, e.Reason, e.Code
	next.intent = intent{}
	current, at, err := g.overwrite(ctx, key, &next, version, r.intent.id)
	switch {
	case err == nil:
		g.show(key, current, at)
		g.tell(EventDied, r.subject, e)
	case errors.Is(err, errOvertaken) && current != nil && current.usable(time.Now(), r.access):
		return g.show(key, current, at)
	case !errors.Is(err, errOvertaken):
		// Not known to be dead: the store could not confirm it. The abandoned intent will bring the question up again.
		e.Kind, e.Reason = ErrTemporary, ""
		e.Err = errors.Join(e.Err, err)
	}
	return nil
}

// release takes the intent back after an attempt that has changed nothing at the server, and notes when the next one may
// be made. If that cannot be written now, it is written later.
func (g *Grants) release(ctx context.Context, key string, r *record, version storage.Version, e *Error) {
	next := *r
	next.intent = intent{}
	next.failures++
	var asked time.Duration
	if e != nil {
		asked = e.RetryAfter
	}
	pause := backoff(next.failures, asked)
	next.retryAt = time.Now().Add(pause)
	if e != nil && e.RetryAfter == 0 && errors.Is(e, ErrTemporary) {
		e.RetryAfter = pause
	}
	current, at, err := g.overwrite(ctx, key, &next, version, r.intent.id)
	switch {
	case err == nil:
		g.show(key, current, at)
	case !errors.Is(err, errOvertaken):
		g.withdraw(key, &next, version, r.intent.id)
	}
}

// showLatest is show in a flight. If another version was told of since this one was read or written, it is only shown until
// the store has been asked.
func (g *Grants) showLatest(key string, r *record, version storage.Version) *oauth2.Token {
	tok := g.show(key, r, version)
	if told, ok := g.news.heard(key); ok && told != version {
		g.cache.suspect(storage.Change{Key: key})
	}
	return tok
}

// show publishes a record that was just read or written, and returns its token.
func (g *Grants) show(key string, r *record, version storage.Version) *oauth2.Token {
	c := g.view(r, version)
	g.cache.publish(r.subject, key, c)
	return c.token
}
