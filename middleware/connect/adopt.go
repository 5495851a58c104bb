package connect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Adopt connects an account whose tokens the app has already, as after a move
// from a table of its own. So nobody has to connect the account again. The
// token was issued to the client of this Provider for user, of whom Subject is
// needed, and Username, Name and Picture are for display. An access token that
// has expired will do. Account is the user of the app. OnConnect is not called.
//
// Adopt can be repeated, also with the token of the first time: a connection
// that is there stays, and so do its tokens, which are newer. Stop the program
// that refreshes the old token first.
//
// It returns ErrConnectedElsewhere or ErrTooMany as a login does, and an error
// that matches tokensource.ErrReauthorize if the tokens have died since they
// were adopted, or the connection was ended. After tokensource.ErrTemporary,
// call it again.
func (p *Provider) Adopt(ctx context.Context, account string, user provider.Identity, tok *oauth2.Token) (Connection, error) {
	part := p.part()
	if err := checkAccount(account); err != nil {
		return Connection{}, err
	}
	if user.Subject == "" || tok == nil || tok.AccessToken == "" {
		return Connection{}, errors.New("connect: Adopt needs the Subject of the user at the server, and a token with an AccessToken, which may have expired")
	}
	c := connecting.Claim{Account: account, Login: adoptionOf(tok), User: user}
	if err := part.adopt(ctx, c, tok); err != nil {
		return Connection{}, err
	}
	return part.accounts.Connection(ctx, account, idOf(part.owner, user.Subject))
}

// adopt makes the steps of a login whose tokens are there already: it lists the
// connection before it stores the grant.
func (p *part) adopt(ctx context.Context, c connecting.Claim, tok *oauth2.Token) error {
	g, err := p.grants.Grant(ctx, c.User.Subject)
	if err != nil && !errors.Is(err, tokensource.ErrReauthorize) {
		return err
	}
	stands := err == nil && g.Dead == ""
	if err := p.Claim(ctx, c); err != nil {
		return err
	}
	if !stands {
		if err := p.store(ctx, c, tok); err != nil {
			return err
		}
	}
	if err := p.Confirm(ctx, c); err != nil {
		return err
	}
	p.machine.Tell(ctx, tokensource.Event{Kind: EventConnected, Subject: c.User.Subject, Account: c.Account})
	return nil
}

// store stores the grant of an adoption. If it may be stored although there is
// an error, the connection stays in the list.
func (p *part) store(ctx context.Context, c connecting.Claim, tok *oauth2.Token) error {
	_, err := p.grants.SaveLogin(ctx, c.User.Subject, tok, &grant.LoginOptions{ID: c.Login, Repeated: true})
	if err == nil || errors.Is(err, tokensource.ErrTemporary) {
		return err
	}
	return errors.Join(err, p.Undo(ctx, c))
}

// adoptionOf names the adoption of a token, for each process and each attempt
// in the same way. It shows nothing of the token.
func adoptionOf(tok *oauth2.Token) string {
	secret := tok.RefreshToken
	if secret == "" {
		secret = tok.AccessToken
	}
	sum := sha256.Sum256([]byte("authtrip/adoption\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
