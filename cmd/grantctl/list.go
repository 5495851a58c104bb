package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

const listHelp = `
List prints a line for every grant, in no order, as it reads them: no matter how many there are. A line has at most 80
columns: what is longer is cut off and ends with "…". -o wide prints everything. States:

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

"N to be revoked" beside a state counts tokens that the server has not confirmed as revoked. Any process that shares the
store tries again, for a week. A grant that cannot be opened stands under its storage key, which -o wide prints whole.

Examples:
  grantctl list file:/var/lib/app/grants
  grantctl list -state dead,expired -o wide file:/var/lib/app/grants
  grantctl list -issuer 'https://login.example/*' -subject 'team-*' env:DATABASE_URL
  grantctl list -o json env:DATABASE_URL | jq -r 'select(.state == "dead") | .subject'
`

func listCommand() *command {
	return &command{
		name: "list", args: []string{"STORE"}, about: "print a line for every grant", help: listHelp,
		setup: func(f *flag.FlagSet) action {
			var l lister
			outputFlag(f, &l.format, "an object for every grant, one a line", "wide")
			f.BoolVar(&l.due, "due", false, "only grants with tokens that are still to be revoked")
			f.BoolVar(&l.all, "all", false, "also sessions, pending logins and other records")
			l.filter.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				if err := l.filter.check(); err != nil {
					return err
				}
				return with(ctx, args[0], mustExist, func(v *vault) error { return l.list(ctx, c, v) })
			}
		},
	}
}

// filter says which grants are wanted. Its zero value wants all.
type filter struct {
	states, subject, issuer, client string
}

func (w *filter) flags(f *flag.FlagSet) {
	f.StringVar(&w.states, "state", "", "only grants in one of these `states`, separated by commas, such as dead,expired")
	f.StringVar(&w.subject, "subject", "", "only grants whose subject has this `pattern`, such as 'team-*'")
	f.StringVar(&w.issuer, "issuer", "", "only grants of servers whose issuer or token endpoint has this `pattern`")
	f.StringVar(&w.client, "client", "", "only grants of apps whose client ID has this `pattern`")
}

// listed are the states that a grant can have.
var listed = []string{"alive", "dead", "expired", "logged out", "redeeming", "in doubt", "sealed", "cannot be opened", "cannot be read", "damaged"}

func (w *filter) check() error {
	for state := range strings.SplitSeq(w.states, ",") {
		if w.states != "" && !slices.Contains(listed, state) {
			return usageError("list: -state takes these, with commas between them: " + strings.Join(listed, ", "))
		}
	}
	for _, pattern := range []string{w.subject, w.issuer, w.client} {
		if _, err := path.Match(pattern, ""); err != nil {
			return usageError("list: a pattern is text with * for anything, ? for one character, and [ab] for one of these")
		}
	}
	return nil
}

// patterns reports whether the filter looks into grants.
func (w *filter) patterns() bool { return w.subject+w.issuer+w.client != "" }

// any reports whether the filter leaves anything out.
func (w *filter) any() bool { return *w != filter{} }

// wants reports whether a grant passes.
func (w *filter) wants(f *facts) bool {
	return (w.states == "" || slices.Contains(strings.Split(w.states, ","), f.State)) &&
		matches(w.subject, f.Subject) && matches(w.issuer, f.Issuer) && matches(w.client, f.Client)
}

// matches compares text with a pattern in which * stands for anything, a slash
// included.
func matches(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	const slash = "\x00"
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(text, "/", slash))
	return ok && err == nil
}

// lister lists records, and counts.
type lister struct {
	format   string
	due, all bool
	filter   filter

	kinds     map[kind]int
	passed    int // grants that the filter let pass
	unknown   int // grants that cannot be read, so that no pattern fits them
	unrevoked int // tokens
	owing     int // grants that have them
}

func (l *lister) list(ctx context.Context, c *console, v *vault) error {
	l.kinds = map[kind]int{}
	t := newTable(c.stdout, l.format == "wide")
	err := l.rows(ctx, c, v, t)
	if e := t.flush(); err == nil { // after an error too: what was read before it is worth seeing
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
		if l.format == "json" {
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
	if l.filter.any() {
		if !e.isGrant() {
			return false
		}
		if e.grant == nil && l.filter.patterns() {
			l.unknown++
			return false
		}
		if f := e.facts(time.Now()); !l.filter.wants(&f) {
			return false
		}
		l.passed++
	}
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
	if l.filter.any() {
		fmt.Fprintf(w, "of these, %d grants pass the filter\n", l.passed)
	}
	if l.unknown > 0 {
		fmt.Fprintf(w, "left out: %d grants that cannot be read, so that nobody knows whose they are; list without patterns shows them\n", l.unknown)
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "of these, %s\n", strings.Join(parts, "; "))
	}
	if l.owing > 0 {
		fmt.Fprintf(w, "to be revoked: %d tokens of %d grants; list -due shows them\n", l.unrevoked, l.owing)
	}
}
