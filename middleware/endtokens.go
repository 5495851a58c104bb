package middleware

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/internal/home"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// What happens to the tokens of a login that has ended without a session or a
// connection: a live token that nobody holds is a risk.

// errEndsAll means that tokens were not revoked. That would end the other
// grants of the user as well, which only Disconnect does.
var errEndsAll = fmt.Errorf("middleware: a revocation ends all grants of the user: %w", errors.ErrUnsupported)

// endLogin ends a login that has failed: it takes its connection from the list,
// and revokes its tokens. A grant that is stored stays, and stays listed.
func (l *login) endLogin(ctx context.Context, k *kept) error {
	stored, err := l.isStored(ctx, k)
	if err != nil {
		return err
	}
	if !stored {
		l.undo(ctx, k)
	}
	return l.endTokens(ctx, k, false)
}

// endTokens revokes the tokens of a login that has ended, unless the grant has
// them, or unless that would end an older connection. Without all, it returns
// errEndsAll in place of ending other grants of the user. It sets k.token to
// nil if nothing is left to do.
func (l *login) endTokens(ctx context.Context, k *kept, all bool) error {
	stands, err := l.isStored(ctx, k)
	if err == nil && !stands {
		stands, err = l.standIn(ctx, k)
	}
	switch {
	case err != nil:
		return err
	case stands:
		k.token = nil
		return nil
	case l.client.Provider().RevokesAll && !all:
		return errEndsAll
	}
	return l.revoke(ctx, k)
}

// isStored reports whether the grant of a login is stored. If the answer of the
// store to save was lost, it asks the store. The tokens are then those of the
// grant, which other users of the app may share: only the Keeper revokes them.
func (l *login) isStored(ctx context.Context, k *kept) (bool, error) {
	if k.token == nil || !k.tried {
		return k.token == nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	stored, err := l.keeping.Holds(ctx, k.user.Subject, k.id)
	if err != nil {
		err = failed("the grant could not be read", err)
	}
	return stored, err
}

// standIn keeps an older grant of the user alive when a login ends that does
// not become a connection, or that was for another user (G21). Where the server
// keeps one grant of a user, the exchange has ended the older tokens, and the
// new ones take their place. Where one revocation ends all grants of a user,
// the new tokens must not be revoked. It reports whether there is an older
// grant.
func (l *login) standIn(ctx context.Context, k *kept) (bool, error) {
	p, another := l.client.Provider(), k.subject != "" && k.user.Subject != k.subject
	if !l.connects() && !another || !p.SingleGrant && !p.RevokesAll || k.user.Subject == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	g, err := l.grants.Grant(ctx, k.user.Subject)
	switch {
	case errors.Is(err, tokensource.ErrReauthorize), err == nil && g.Dead != "":
		return false, nil
	case err != nil:
		return false, failed("the grant could not be read", err)
	case !p.SingleGrant:
		return true, nil
	}
	if err := l.save(ctx, k); err != nil && !isFinal(err) {
		return false, err
	}
	return k.epoch != "", nil
}

// revoke revokes the tokens of a login: the refresh token first, because a
// server need not end one token with the other.
func (l *login) revoke(ctx context.Context, k *kept) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	tok := k.token()
	if origin, ok := tok.Extra(l.client.Provider().TokenHostParam).(string); ok {
		ctx = home.With(ctx, origin)
	}
	var err error
	if tok.RefreshToken != "" {
		err = l.client.Revoke(ctx, tok.RefreshToken, oauth.HintRefreshToken)
	}
	if errors.Is(err, errors.ErrUnsupported) && l.client.Provider().Revocation.Only == oauth.HintAccessToken {
		err = nil // the access token is what can be revoked
	}
	if tok.AccessToken != "" {
		err = errors.Join(err, l.client.Revoke(ctx, tok.AccessToken, oauth.HintAccessToken))
	}
	return err
}
