package connect

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
)

// claimTime is how long a login has to store its grant after its connection was
// listed, and a disconnect to end it. It is longer than either takes.
const claimTime = time.Minute

// underWay reports whether something that began at a time, in seconds since
// 1970, may still go on. A time far ahead was written by a process whose clock
// was wrong. It must not stop the user until this clock gets there.
func underWay(began int64, now time.Time) bool {
	age := now.Sub(time.Unix(began, 0))
	return began != 0 && -claimTime < age && age < claimTime
}

// Claim lists a connection and makes its account a holder, in this order. A
// process that dies in between leaves a connection that is listed, and never a
// grant that is not.
func (p *part) Claim(ctx context.Context, c connecting.Claim) error {
	if err := p.list(ctx, c); err != nil {
		return err
	}
	err := p.hold(ctx, p.accounts.named(c.Account), c.User.Subject)
	if errors.Is(err, connecting.ErrElsewhere) || errors.Is(err, connecting.ErrTooMany) {
		if failed := p.Undo(ctx, c); failed != nil {
			return failed
		}
	}
	return err
}

// list adds the connection to the record of the account.
func (p *part) list(ctx context.Context, c connecting.Claim) error {
	e := p.newEntry(c)
	return p.accounts.changeListing(ctx, p.accounts.named(c.Account), func(l *listing) error {
		old := l.find(e.ID)
		switch {
		case old != nil:
			if err := p.repair(ctx, c, old); err != nil {
				return err
			}
			e.Connected = old.Connected
			*old = *e
		case len(l.List) >= maxConnections:
			return connecting.ErrTooMany
		default:
			old = e
			l.List = append(l.List, e)
		}
		old.Claimed, old.Login = time.Now().Unix(), c.Login
		return nil
	})
}

// repair completes what an earlier login left behind: its process died after it
// had stored the grant.
func (p *part) repair(ctx context.Context, c connecting.Claim, e *entry) error {
	if e.Connected != 0 || e.Login == c.Login {
		return nil
	}
	h, err := p.holders(ctx, e.Subject)
	if err != nil || !h.has(p.accounts.named(c.Account)) {
		return err
	}
	switch g, err := p.grants.Grant(ctx, e.Subject); {
	case errors.Is(err, tokensource.ErrReauthorize):
	case err != nil:
		return err
	case g.Dead == "":
		e.Connected = max(1, e.Claimed)
	}
	return nil
}

// Confirm notes that the grant is stored. If the connection was taken from the
// list meanwhile, it is listed again: the user has authorized it.
func (p *part) Confirm(ctx context.Context, c connecting.Claim) error {
	for {
		gone := false
		err := p.accounts.changeListing(ctx, p.accounts.named(c.Account), func(l *listing) error {
			e := l.find(idOf(p.owner, c.User.Subject))
			if gone = e == nil; gone || e.Claimed == 0 {
				return errUnchanged
			}
			if e.Connected == 0 {
				e.Connected = time.Now().Unix()
			}
			e.Claimed, e.Login = 0, ""
			return nil
		})
		if err != nil || !gone {
			return err
		}
		if err := p.Claim(ctx, c); err != nil {
			return err
		}
	}
}

// Undo takes a connection from the list that a login has listed and cannot
// store. An older connection stays.
func (p *part) Undo(ctx context.Context, c connecting.Claim) error {
	name := p.accounts.named(c.Account)
	l, err := p.accounts.listing(ctx, name)
	if err != nil {
		return err
	}
	id := idOf(p.owner, c.User.Subject)
	e := l.find(id)
	if e == nil || e.Login != c.Login {
		return nil
	}
	if e.Connected == 0 {
		if err := p.release(ctx, name, c.User.Subject, 0); err != nil {
			return err
		}
	}
	return p.accounts.changeListing(ctx, name, func(l *listing) error {
		e := l.find(id)
		switch {
		case e == nil || e.Login != c.Login:
			return errUnchanged
		case e.Connected == 0:
			l.remove(id)
		default:
			e.Claimed, e.Login = 0, ""
		}
		return nil
	})
}
