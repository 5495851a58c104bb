package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// complete turns a code into a stored grant and a session. The state has been
// used up, so that nothing of this happens twice. A token that cannot be kept
// is revoked.
func (l *login) complete(ctx context.Context, w http.ResponseWriter, r *http.Request, f flow, code string) error {
	tok, err := f.client.Exchange(ctx, code, f.verifier.Reveal())
	if err != nil {
		return failed("the code could not be exchanged", err)
	}
	user, err := l.identify(ctx, tok)
	if err != nil {
		return l.discard(ctx, tok, err)
	}
	grant, err := l.grants.Save(ctx, user.Subject, tok)
	if err != nil {
		return l.discard(ctx, tok, failed("the grant could not be stored", unreadable(l.grantKey(ctx, user.Subject), err)))
	}
	if err := l.startSession(ctx, w, r, user.Subject, grant.Epoch); err != nil {
		return failed("the session could not be stored", err)
	}
	l.report(r, tokensource.Event{Kind: EventLoginFinished, Subject: user.Subject})
	return nil
}

// identify asks who the user is, and then whether this user is welcome.
func (l *login) identify(ctx context.Context, tok *oauth2.Token) (provider.Identity, error) {
	user, err := l.options.Identify(ctx, tok)
	if err == nil && user.Subject == "" {
		err = errors.New("middleware: Options.Identify returned no subject")
	}
	if err != nil {
		return provider.Identity{}, failed("it could not be established who the user is", err)
	}
	if l.options.OnLogin != nil {
		switch err := l.options.OnLogin(ctx, user); {
		case errors.Is(err, ErrRefused):
			return provider.Identity{}, &Error{Op: opCallback, Kind: ErrRefused, Err: err}
		case err != nil:
			return provider.Identity{}, failed("OnLogin failed", err)
		}
	}
	return user, nil
}

// discard revokes a token that no login came of, and says so in err: a live
// token that nobody keeps is a risk.
func (l *login) discard(ctx context.Context, tok *oauth2.Token, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	if e.Cause != "" {
		e.Cause += "; "
	}
	if l.revoke(ctx, tok) {
		e.Cause += "the new token was revoked"
	} else {
		e.Cause += "the new token could not be revoked"
	}
	return e
}

// revokeTime is left for the revocation even if what came before used up the
// time.
const revokeTime = 5 * time.Second

func (l *login) revoke(ctx context.Context, tok *oauth2.Token) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	var err error
	if tok.RefreshToken != "" {
		err = l.client.Revoke(ctx, tok.RefreshToken, oauth.HintRefreshToken)
	}
	return errors.Join(err, l.client.Revoke(ctx, tok.AccessToken, oauth.HintAccessToken)) == nil
}

func failed(cause string, err error) *Error {
	return &Error{Op: opCallback, Kind: ErrLoginFailed, Cause: cause, Err: err}
}
