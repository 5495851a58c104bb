package connect

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
)

// End ends one connection of a user of the app, which id names. It revokes the
// tokens at the authorization server and ends the grant, unless the account is
// shared and another user of the app still has it (Options.Shared). It returns
// ErrNoConnection if the user has no such connection.
//
// If the server has not confirmed the revocation, End returns that error. The
// connection has ended nevertheless, no token is handed out any more, and any
// process repeats the revocation for a week. After other errors the connection
// is still listed: call End again. They match tokensource.ErrTemporary, also
// while the account is being connected, or middleware.ErrUnreadable.
func (a *Accounts) End(ctx context.Context, account, id string) error {
	l, err := a.listed(ctx, account)
	if err != nil {
		return err
	}
	e := l.find(id)
	if e == nil {
		return ErrNoConnection
	}
	p := a.part(e.owner())
	if p == nil {
		return errNotAdded
	}
	return p.end(ctx, account, e)
}

// Forget ends all connections of a user of the app, and what could become one.
// It is for the erasure of the user. It can be repeated, and returns nil if
// nothing is left. See [Accounts.End] for its errors.
func (a *Accounts) Forget(ctx context.Context, account string) error {
	l, err := a.listed(ctx, account)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range a.all() {
		errs = append(errs, p.machine.Abandon(ctx, account, ""))
	}
	for _, e := range l.List {
		p := a.part(e.owner())
		if p == nil {
			errs = append(errs, errNotAdded)
			continue
		}
		errs = append(errs, p.end(ctx, account, e))
	}
	return errors.Join(errs...)
}

func (a *Accounts) all() (list []*part) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.parts {
		list = append(list, p)
	}
	return list
}

// end ends a connection: first the grant, then what says whose it is, and at
// last the entry of the list. So it can be repeated at every point.
func (p *part) end(ctx context.Context, account string, e *entry) error {
	if err := p.machine.Abandon(ctx, account, e.Subject); err != nil {
		return away(err)
	}
	if e.beingMade(time.Now()) {
		return errBusy("connected")
	}
	name := p.accounts.named(account)
	ending, err := p.letGo(ctx, name, e.Subject)
	if err != nil {
		return err
	}
	var unconfirmed error
	if ending != 0 {
		var ended bool
		if ended, unconfirmed = p.endGrant(ctx, e.Subject); !ended {
			p.tell(ctx, account, e, unconfirmed)
			return unconfirmed
		}
		if err := p.release(ctx, name, e.Subject, ending); err != nil {
			return err
		}
	}
	err = p.accounts.changeListing(ctx, name, func(l *listing) error {
		if now := l.find(e.ID); now == nil || now.Claimed != e.Claimed { // a new login is under way
			return errUnchanged
		}
		l.remove(e.ID)
		return nil
	})
	if err == nil {
		p.tell(ctx, account, e, unconfirmed)
	}
	return errors.Join(unconfirmed, err)
}

// endGrant ends the grant of a subject. It reports whether that is stored. An
// error says that the server has not confirmed the revocation, or that the
// store failed.
func (p *part) endGrant(ctx context.Context, subject string) (ended bool, err error) {
	if err = p.grants.Logout(ctx, subject); err == nil {
		return true, nil
	}
	return p.grants.Forget(ctx, subject) == nil, err
}

func (p *part) tell(ctx context.Context, account string, e *entry, err error) {
	p.machine.Tell(ctx, tokensource.Event{Kind: middleware.EventDisconnected, Subject: e.Subject, Account: account, Err: err})
}
