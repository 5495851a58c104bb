package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
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

"N to be revoked, next try T" beside a state counts tokens that the server has not confirmed as revoked. Any process that
shares the store tries again, for a week.

Examples:
  grantctl list file:/var/lib/app/grants
  grantctl list -due file:/var/lib/app/grants
  grantctl list -json env:DATABASE_URL | jq -r 'select(.state == "dead") | .subject'
`

func listCommand() *command {
	return &command{
		name: "list", args: []string{"STORE"}, about: "print a line for every grant", help: listHelp,
		setup: func(f *flag.FlagSet) action {
			var l lister
			f.BoolVar(&l.json, "json", false, "print an object for every grant, one a line")
			f.BoolVar(&l.due, "due", false, "only grants with tokens that are still to be revoked")
			f.BoolVar(&l.all, "all", false, "also sessions, pending logins and other records")
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error { return l.list(ctx, c, v) })
			}
		},
	}
}

// lister lists records, and counts.
type lister struct {
	json, due, all bool

	kinds     map[kind]int
	unrevoked int // tokens
	owing     int // grants that have them
}

func (l *lister) list(ctx context.Context, c *console, v *vault) error {
	l.kinds = map[kind]int{}
	t := newTable(c.stdout)
	err := l.rows(ctx, c, v, t)
	if e := t.w.Flush(); err == nil { // after an error too: what was read before it is worth seeing
		err = e
	}
	if err == nil {
		l.printCounts(c.stderr)
	}
	return err
}

// rows prints a line for every record that is wanted.
func (l *lister) rows(ctx context.Context, c *console, v *vault, t *table) error {
	for e, err := range v.entries(ctx) {
		if err != nil {
			return err
		}
		l.count(e)
		if !l.wants(e) {
			continue
		}
		if l.json {
			err = writeJSON(c.stdout, e.facts(time.Now()))
		} else {
			err = t.row(e, time.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) wants(e entry) bool {
	if l.due {
		return e.grant != nil && e.grant.Unrevoked > 0
	}
	return l.all || e.isGrant()
}

func (l *lister) count(e entry) {
	l.kinds[kindOf(e.key)]++
	if e.grant != nil && e.grant.Unrevoked > 0 {
		l.unrevoked += e.grant.Unrevoked
		l.owing++
	}
}

// printCounts prints how many records of each kind there are.
func (l *lister) printCounts(w io.Writer) {
	others := 0
	var parts []string
	for _, k := range append(slices.Clone(otherKinds), unknownKind) {
		if n := l.kinds[k]; n > 0 {
			others += n
			parts = append(parts, fmt.Sprintf("%s: %d", k.name, n))
		}
	}
	fmt.Fprintf(w, "grants: %d; other records: %d\n", l.kinds[grantKind], others)
	if len(parts) > 0 {
		fmt.Fprintf(w, "of these, %s\n", strings.Join(parts, "; "))
	}
	if l.owing > 0 {
		fmt.Fprintf(w, "to be revoked: %d tokens of %d grants; list -due shows them\n", l.unrevoked, l.owing)
	}
}

// table prints entries in columns.
type table struct {
	w    *tabwriter.Writer
	rows int
}

// tableRows is how many lines share the width of their columns. So many lines
// wait in memory.
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
