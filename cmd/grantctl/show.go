package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

const showHelp = `
Show prints all that is known of a grant, or of each grant that the subject has given to several apps; never a token.

Examples:
  grantctl show file:/var/lib/app/grants 2244994945
  grantctl show -issuer https://api.x.com/2/oauth2/token -client b2F1dGgtY2xpZW50 env:DATABASE_URL 2244994945
  grantctl show -o json file:/var/lib/app/grants grant.5887d27b558679bae27ced4f42768b2b13a6bef184e157841e2d76491f6b2f7a
`

func showCommand() *command {
	return &command{
		name: "show", args: []string{"STORE", "SUBJECT|KEY"}, about: "print all that is known of a grant", help: showHelp,
		setup: func(f *flag.FlagSet) action {
			asJSON := jsonFlag(f, "an object for each grant, one a line")
			var s selector
			s.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error {
					f, err := v.find(ctx, args[1], s)
					if err != nil {
						return err
					}
					if f.unread > 0 {
						fmt.Fprintf(c.stderr, "%d grants cannot be read, and may be the subject's too: list says why\n", f.unread)
					}
					return show(c.stdout, f.entries, asJSON())
				})
			}
		},
	}
}

func show(w io.Writer, entries []entry, asJSON bool) error {
	for i, e := range entries {
		if asJSON {
			if err := writeJSON(w, e.facts(time.Now())); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := describe(w, e, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// describe prints the facts of e, one a line. It leaves out facts that are
// empty.
func describe(w io.Writer, e entry, now time.Time) error {
	t := tabwriter.NewWriter(w, len("redeeming since")+2, 0, 2, ' ', 0)
	say := func(name, value string) {
		if value != "" && value != "-" {
			fmt.Fprintf(t, "%s\t%s\n", name, printable(value))
		}
	}
	f := e.facts(now)
	say("storage key", f.Key)
	if k := kindOf(e.key); k != grantKind {
		say("record", k.about)
	}
	say("state", e.condition(now))
	say("server's code", f.Code)
	say("trouble", f.Error)
	say("sealed with", string(f.Seal))
	if e.grant == nil {
		return t.Flush()
	}
	say("subject", f.Subject)
	say("issuer", f.Issuer)
	say("client", f.Client)
	say("scopes", strings.Join(f.Scopes, " "))
	say("authorized", timeText(f.Authorized))
	say("obtained", timeText(f.Obtained))
	say("expiry", timeText(f.Expiry))
	say("refresh token", map[bool]string{true: "yes", false: "no"}[f.Refreshable])
	say("redeeming since", timeText(f.RedeemingSince))
	say("redeeming until", timeText(f.RedeemingUntil))
	say("retry at", timeText(f.RetryAt))
	say("failures", count(f.Failures))
	say("doubts", count(f.Doubts))
	say("epoch", f.Epoch)
	say("logged out", timeText(f.LoggedOut))
	say("to be revoked", count(uint64(f.Unrevoked))) //nolint:gosec // a length
	say("  since", timeText(f.UnrevokedSince))
	say("  tries so far", count(f.RevokeTries))
	say("  next try", timeText(f.RevokeAt))
	return t.Flush()
}

// count returns n in digits, and nothing for zero.
func count(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
