package grant

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// LoginOptions says more about a login than its tokens do. The zero value is
// what [Keeper.Save] uses.
type LoginOptions struct {
	// Scopes are what this login asked for. Nil means the scopes of the client.
	Scopes []string

	// ID names the login: 1 to 64 bytes of visible ASCII that nobody can guess. A
	// program that keeps the tokens of a login until it can save them also keeps
	// its ID. Empty means a random one.
	ID string

	// Repeated says that an earlier call with this ID may have stored the login.
	// Then the login is stored once, whatever became of that call. If the grant
	// was renewed, replaced or logged out since, it stays so.
	Repeated bool

	// Exchanged is when the server answered the exchange. The later one of two
	// logins stays. Zero means that it is computed from the lifetime of the token,
	// or that it is now if the lifetime is not known.
	Exchanged time.Time
}

// Save stores the tokens of a new authorization of subject, in place of the
// tokens of an earlier one, and makes a dead grant alive. Tokens that are
// replaced are revoked, unless the server has ended them itself (G20). Of two
// logins at nearly the same time, the one that was exchanged later stays,
// whichever is saved first (G6). Save returns the facts of the grant that
// stays, and ErrNoGrant if the user has logged out meanwhile.
//
// Save goes on when ctx ends, because the code that tok was traded for cannot
// be used again. [tokensource.ErrTemporary] means that the store has not
// confirmed the grant. It may be stored all the same. Let the user log in
// again, or use [Keeper.SaveLogin] with an ID, which can be repeated.
func (k *Keeper) Save(ctx context.Context, subject string, tok *oauth2.Token) (Grant, error) {
	return k.SaveLogin(ctx, subject, tok, nil)
}

// SaveLogin is [Keeper.Save] for a login of which more is known. Nil options
// mean all defaults.
func (k *Keeper) SaveLogin(ctx context.Context, subject string, tok *oauth2.Token, o *LoginOptions) (Grant, error) {
	if o == nil {
		o = new(LoginOptions)
	}
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	if tok == nil || tok.AccessToken == "" {
		return Grant{}, errors.New("grant: Save needs the token that Exchange returned")
	}
	if err := o.check(); err != nil {
		return Grant{}, err
	}
	if !k.begin() {
		return Grant{}, tokensource.ErrClosed
	}
	defer k.work.Done()
	return k.saveLogin(context.WithoutCancel(ctx), subject, k.login(subject, tok, o))
}

func (o *LoginOptions) check() error {
	const longestID = 64
	switch {
	case len(o.ID) > longestID || !ascii.Visible(o.ID):
		return errors.New("grant: the ID of a login is 1 to 64 bytes of visible ASCII")
	case o.Repeated && o.ID == "":
		return errors.New("grant: a login that is repeated needs the ID of the first attempt")
	}
	return nil
}

func (k *Keeper) saveLogin(ctx context.Context, subject string, login lease.Login) (Grant, error) {
	key, err := k.key(ctx, subject)
	if err != nil {
		return Grant{}, err
	}
	out, err := k.drive(ctx, key, subject, &login)
	if out.Overtaken && out.Record != nil {
		return facts(out.Record), nil
	}
	if err != nil {
		return Grant{}, err
	}
	k.tellScopes(ctx, subject, login.Asked, login.Token.Scope)
	return facts(out.Record), nil
}

// login prepares the tokens of a new authorization.
func (k *Keeper) login(subject string, tok *oauth2.Token, o *LoginOptions) lease.Login {
	at := o.exchanged(tok, k.clock.Wall())
	scopes, id := o.Scopes, o.ID
	if scopes == nil {
		scopes = k.client.Scopes()
	}
	if id == "" {
		id = randomID()
	}
	asked := strings.Join(scopes, " ")
	t := k.issued(tok, at, "")
	if t.Scope == "" {
		t.Scope = asked // RFC 6749 section 5.1
	}
	p := k.client.Provider()
	return lease.Login{
		Issuer: p.Authority(), Endpoint: p.TokenURL, ClientID: k.client.ClientID(), Subject: subject, Asked: asked,
		ID: id, Epoch: randomID(), Exchanged: at, Token: t, Repeated: o.Repeated,
	}
}

// exchanged returns when a token was obtained. An answer states the lifetime of
// the token, from which Exchange has computed the expiry. An app may have done
// much between Exchange and Save, and the order of two logins is that of their
// exchanges.
func (o *LoginOptions) exchanged(tok *oauth2.Token, now time.Time) time.Time {
	at := o.Exchanged.Round(0)
	switch {
	case !at.IsZero():
	case tok.ExpiresIn <= 0 || tok.Expiry.IsZero():
		return now
	default:
		at = tok.Expiry.Round(0).Add(-time.Duration(tok.ExpiresIn) * time.Second)
	}
	if at.After(now) {
		return now
	}
	return at
}
