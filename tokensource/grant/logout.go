package grant

import (
	"context"
	"errors"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// Logout ends a subject's grant, for every process at once. From then on no
// process hands out a token of it. The refresh token and then the access token
// are revoked at the server ([RFC 7009]). A logout wins over a refresh under
// way: tokens that arrive later are revoked (G12). Without a grant Logout
// returns nil. A provider without a revocation endpoint leaves nothing else to
// do.
//
// An error means that the logout may not be stored, or that the server has not
// confirmed the revocation. What the server has not confirmed is repeated in
// the background by any process, for a week (G20). When ctx ends, Logout
// returns its cause and goes on by itself. [EventLoggedOut] then says how it
// ended.
//
// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
func (k *Keeper) Logout(ctx context.Context, subject string) error {
	_, err := k.end(ctx, subject)
	return err
}

// Forget is [Keeper.Logout] for the erasure of a user's data. It returns nil as
// soon as the end of the grant is stored, also if the server has not confirmed
// the revocation. Any process then revokes and deletes what is left: tokens
// after a week at the latest, and the record with the identifier of the user a
// day after its last token. An error means that the end of the grant may not be
// stored: call Forget again.
func (k *Keeper) Forget(ctx context.Context, subject string) error {
	out, err := k.end(ctx, subject)
	if out.Unconfirmed {
		return nil
	}
	return err
}

// ending is how a logout ended.
type ending struct {
	lease.Outcome
	err error
}

// end ends a grant. The work goes on when ctx ends.
func (k *Keeper) end(ctx context.Context, subject string) (lease.Outcome, error) {
	if err := checkSubject(subject); err != nil {
		return lease.Outcome{}, err
	}
	if !k.begin() {
		return lease.Outcome{}, tokensource.ErrClosed
	}
	done := make(chan ending, 1)
	go func() {
		defer k.work.Done()
		done <- k.logout(context.WithoutCancel(ctx), subject)
	}()
	select {
	case e := <-done:
		return e.Outcome, e.err
	case <-ctx.Done():
		return lease.Outcome{}, flight.GaveUp(ctx)
	}
}

func (k *Keeper) logout(ctx context.Context, subject string) ending {
	key, err := k.key(ctx, subject)
	if err != nil {
		return ending{err: err}
	}
	out, err := k.drive(ctx, key, subject, new(lease.Logout))
	if errors.Is(err, tokensource.ErrNoGrant) {
		err = nil
	}
	return ending{out, err}
}
