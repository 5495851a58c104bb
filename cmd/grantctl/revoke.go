package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/authtrip/authtrip/tokensource/grant"
)

const revokeHelp = `
Revoke ends one grant as the app's /disconnect does: no process of the app hands out a token of it any more, and its tokens
are revoked at the server. It shows the grant and asks first. If the server does not answer, the tokens stay in the record,
and any process of the app revokes them in the background, for a week.

` + secretVariable + ` holds the client secret; a public client has none. A client with another form of authentication, such
as private_key_jwt, revokes in the app itself.

Examples:
  grantctl revoke file:/var/lib/app/grants 2244994945
  grantctl revoke -yes -provider login.json env:DATABASE_URL grant.5887d27b558679bae27ced4f42768b2b13a6bef184e157841e2d76491f6b2f7a
`

func revokeCommand() *command {
	return &command{
		name: "revoke", args: []string{"STORE", "SUBJECT|KEY"}, about: "end one grant, and revoke its tokens", help: revokeHelp,
		setup: func(f *flag.FlagSet) action {
			yes := f.Bool("yes", false, "do not ask")
			asJSON := jsonFlag(f, `{"revoked": KEY}`)
			var s selector
			f.StringVar(&s.issuer, "issuer", "", "the `URL` of the subject's server: its issuer, or its token endpoint if it has no issuer")
			var a appFlags
			a.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				s.client = a.client
				return with(ctx, args[0], mustExist, func(v *vault) error {
					e, err := v.findOne(ctx, args[1], s)
					if err == nil {
						err = revocable(e)
					}
					if err == nil && !*yes {
						err = confirm(ctx, c, e, args[1], "revoke", "The user must log in again.")
						if err == nil {
							err = v.same(ctx, e)
						}
					}
					if err == nil {
						err = a.revoke(ctx, c, v, e.grant)
					}
					if err != nil {
						return err
					}
					if asJSON() {
						return writeJSON(c.stdout, map[string]string{"revoked": e.key})
					}
					fmt.Fprintf(c.stdout, "revoked %s\n", e.key)
					return nil
				})
			}
		},
	}
}

// revocable refuses what has no tokens that could be read.
func revocable(e entry) error {
	switch {
	case !e.isGrant():
		return errors.New("this record is no grant: delete removes it")
	case e.err != nil:
		return fmt.Errorf("its tokens cannot be read, so nothing was revoked: %w", e.err)
	case !e.grant.LoggedOut.IsZero() && e.grant.Unrevoked == 0:
		return errors.New("it is logged out already, and its tokens are revoked")
	}
	return nil
}

// same refuses if the user has logged in again since e was read: the operator
// was shown another grant.
func (v *vault) same(ctx context.Context, e entry) error {
	now, err := v.entry(ctx, e.key)
	if err != nil {
		return err
	}
	if now.grant == nil || now.grant.Epoch != e.grant.Epoch {
		return errors.New("it has changed meanwhile, so nothing was revoked: look at it again")
	}
	return nil
}

// revoke ends g, which the engine finds by its server, its client and its
// subject.
func (a *appFlags) revoke(ctx context.Context, c *console, v *vault, g *grant.Grant) error {
	a.client = g.ClientID
	k, _, err := a.keeper(c, v, g.Issuer, g.Scopes)
	if err != nil {
		return err
	}
	err = k.Logout(ctx, g.Subject)
	if e := k.Close(); err == nil {
		return e
	}
	return fmt.Errorf("the server has not confirmed it; if list says \"logged out\", the app's processes try again: %w", err)
}
