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

const listHelp = `
List prints a line for every grant, in no order, as it reads them: no matter how many there are. A grant that cannot be
opened stands under its storage key. States:

  alive              in use; the access token may have expired, and is refreshed when it is needed
  dead: REASON       refused by the server: the user must log in again
  expired            the access token has ended, and there is no refresh token
  logged out         the record stays for a day and holds no token in use; tokens that the server
                     has not confirmed as revoked are revoked in the background
  redeeming          a process is refreshing it
  in doubt           a process died, or lost the answer, while it was refreshing it
  sealed             ` + keysVariable + ` is not set
  cannot be opened   with these keys: the key was retired too early, or the value was changed
  cannot be read     written by a later version, or no grant
  damaged            the store says so

Examples:
  grantctl list file:/var/lib/app/grants
  grantctl list -json env:DATABASE_URL | jq -r 'select(.state == "dead") | .subject'
`

func listCommand() *command {
	return &command{
		name: "list", args: []string{"STORE"}, about: "print a line for every grant", help: listHelp,
		setup: func(f *flag.FlagSet) action {
			asJSON := f.Bool("json", false, "print an object for every grant, one a line")
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error { return list(ctx, c, v, *asJSON) })
			}
		},
	}
}

func list(ctx context.Context, c *console, v *vault, asJSON bool) error {
	t := newTable(c.stdout)
	grants, others, err := listRows(ctx, c, v, t, asJSON)
	if e := t.w.Flush(); err == nil { // after an error too: what was read before it is worth seeing
		err = e
	}
	if err == nil {
		fmt.Fprintf(c.stderr, "grants: %d; other records: %d\n", grants, others)
	}
	return err
}

// listRows prints a line for every grant, and counts.
func listRows(ctx context.Context, c *console, v *vault, t *table, asJSON bool) (grants, others int, err error) {
	for e, err := range v.entries(ctx) {
		if err != nil {
			return grants, others, err
		}
		if !e.isGrant() {
			others++
			continue
		}
		grants++
		if asJSON {
			err = writeJSON(c.stdout, e.facts(time.Now()))
		} else {
			err = t.row(e, time.Now())
		}
		if err != nil {
			return grants, others, err
		}
	}
	return grants, others, nil
}

// table prints entries in columns.
type table struct {
	w    *tabwriter.Writer
	rows int
}

// tableRows is how many lines share the width of their columns: so many wait in
// memory.
const tableRows = 200

func newTable(w io.Writer) *table {
	return &table{w: tabwriter.NewWriter(w, 10, 0, 2, ' ', 0)}
}

func (t *table) row(e entry, now time.Time) error {
	if t.rows == 0 {
		fmt.Fprintln(t.w, "SUBJECT\tISSUER\tCLIENT\tSCOPES\tEXPIRY\tSTATE")
	}
	f := e.facts(now)
	subject := f.Subject
	if subject == "" {
		subject = e.key
	}
	fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(subject), or(f.Issuer), or(f.Client),
		or(strings.Join(f.Scopes, " ")), timeText(f.Expiry), e.condition(now))
	t.rows++
	if t.rows%tableRows == 0 {
		return t.w.Flush()
	}
	return nil
}
