package grant

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// admission is how long a refresh waits until it may be sent, because many
// others are in flight.
const admission = 5 * time.Second

// admit decides whether a refresh that is to be announced in record may be sent
// now. After nil the run counts as a refresh in flight until sent is called.
func (r *run) admit(ctx context.Context, record *lease.Record) error {
	if err := r.spaced(record); err != nil {
		r.justRenewed = true
		return err
	}
	if err := r.refused.check(r.key, record.Token.ID, r.now()); err != nil { // G17
		return err
	}
	if err := r.await(ctx); err != nil {
		return err
	}
	if err := r.breaker.Allow(r.clock.Wall()); err != nil {
		r.sent()
		return err
	}
	if !r.ahead {
		r.trials.renewing(r.subject)
	}
	return nil
}

// spaced returns an error if the renewals of this grant do not help, and the
// next one must wait (G9). A token that has expired is renewed in any case.
func (r *run) spaced(record *lease.Record) error {
	t, now := record.Token, r.clock.Wall()
	expired := !t.Expiry.IsZero() && !now.Before(t.Expiry)
	if r.ahead || expired || !t.Refreshed || t.Access == "" || t.Access != r.rejected {
		return nil
	}
	age := now.Sub(t.Obtained)
	if left := r.trials.spacing(r.subject, t.Access) - age; age >= 0 && left > 0 {
		return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrJustRenewed, RetryAfter: left}
	}
	return nil
}

var errBusy = errors.New("grant: too many refreshes are in flight")

// await counts a refresh in flight (G10). If there are too many, it waits.
func (r *run) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, admission)
	defer cancel()
	select {
	case r.sending <- struct{}{}:
		r.admitted = true
		return nil
	case <-ctx.Done():
		return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: time.Second, Err: errBusy}
	}
}

// sent ends the time for which the run counts as a refresh in flight.
func (r *run) sent() {
	if r.admitted {
		r.admitted = false
		<-r.sending
	}
}
