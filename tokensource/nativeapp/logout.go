package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// repeatTime bounds the repetition of earlier logouts.
const repeatTime = 10 * time.Second

// Logout logs the user of the App out: the tokens are revoked at the server,
// and the account is removed. If nobody is logged in, it returns nil. The error
// matches [ErrAccount] if it is not clear which account is meant.
//
// After any other error, this machine uses the tokens no more, and the server
// may not have revoked them. Logout can be called again. Each later login and
// logout repeats it too.
func (a *App) Logout(ctx context.Context) error {
	if err := a.fixed(); err != nil {
		return err
	}
	l, _, _, err := a.read(ctx)
	if err != nil {
		return err
	}
	one, err := l.choose(a.options.Account)
	again := a.repeat(ctx, l)
	if one == nil && (err == nil || l.ended(a.options.Account)) {
		return again
	}
	if err != nil {
		return err
	}
	a.chosen.Store(nil)
	return errors.Join(a.logout(ctx, one.User.Subject), again)
}

// ended reports whether a name is that of an account that has logged out.
func (l *accounts) ended(name string) bool {
	a := l.named(name)
	return a != nil && a.Ended
}

// logout ends the grant of a subject, and then removes the account. The account
// stays if the server has not confirmed the logout, to repeat it.
func (a *App) logout(ctx context.Context, subject string) error {
	failed := a.grants.Logout(ctx, subject)
	err := a.change(context.WithoutCancel(ctx), func(l *accounts) error {
		if failed == nil {
			l.remove(subject)
		} else {
			l.end(subject)
		}
		return nil
	})
	if failed != nil {
		failed = fmt.Errorf("nativeapp: the server has not confirmed the logout: %w", failed)
	}
	return errors.Join(failed, err)
}

// repeat repeats the logouts that the server has not confirmed.
func (a *App) repeat(ctx context.Context, l *accounts) error {
	ctx, cancel := context.WithTimeoutCause(ctx, repeatTime, tokensource.ErrTemporary)
	defer cancel()
	var failed []error
	for _, one := range l.List {
		if one.Ended {
			failed = append(failed, a.logout(ctx, one.User.Subject))
		}
	}
	return errors.Join(failed...)
}
