package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// The widths of the columns of a narrow table, and the space between them, come
// to 80 with the state.
const (
	subjectWidth = 20
	serverWidth  = 18
	expiryWidth  = 12
	stateWidth   = 80 - subjectWidth - serverWidth - expiryWidth - 3*2
)

// table prints entries in columns: a narrow one has lines of at most 80
// columns, a wide one has everything.
type table struct {
	out  io.Writer
	wide *tabwriter.Writer // nil if the table is narrow
	rows int
}

// tableRows is how many lines of a wide table share the width of their columns.
// So many lines wait in memory.
const tableRows = 200

func newTable(w io.Writer, wide bool) *table {
	t := &table{out: w}
	if wide {
		t.wide = tabwriter.NewWriter(w, 10, 0, 2, ' ', 0)
	}
	return t
}

func (t *table) flush() error {
	if t.wide == nil {
		return nil
	}
	return t.wide.Flush()
}

func (t *table) row(e entry, now time.Time) error {
	f := e.facts(now)
	subject := f.Subject
	if subject == "" {
		subject = e.key
	}
	t.rows++
	if t.wide == nil {
		return t.narrowRow(printable(subject), &f, e.condition(now), now)
	}
	if t.rows == 1 {
		fmt.Fprintln(t.wide, "SUBJECT\tISSUER\tCLIENT\tSCOPES\tEXPIRY\tSTATE")
	}
	fmt.Fprintf(t.wide, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(subject), or(f.Issuer), or(f.Client),
		or(strings.Join(f.Scopes, " ")), timeText(f.Expiry), e.condition(now))
	if t.rows%tableRows == 0 {
		return t.wide.Flush()
	}
	return nil
}

func (t *table) narrowRow(subject string, f *facts, condition string, now time.Time) error {
	line := func(subject, server, expiry, state string) error {
		_, err := fmt.Fprintln(t.out, strings.TrimRight(column(subject, subjectWidth)+"  "+column(server, serverWidth)+"  "+
			column(expiry, expiryWidth)+"  "+column(state, stateWidth), " "))
		return err
	}
	if t.rows == 1 {
		if err := line("SUBJECT", "SERVER", "EXPIRY", "STATE"); err != nil {
			return err
		}
	}
	return line(subject, or(host(f.Issuer)), distance(f.Expiry, now), condition)
}

// column returns text in exactly size columns. If it is longer, its end is an
// ellipsis.
func column(text string, size int) string {
	total := columnsOf(text)
	for cut := text; total > size; total = columnsOf(text) {
		_, last := utf8.DecodeLastRuneInString(cut)
		cut = cut[:len(cut)-last]
		text = cut + "…"
	}
	return text + strings.Repeat(" ", size-total)
}

// columnsOf returns how many columns a text takes on a terminal.
func columnsOf(text string) (total int) {
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			total += 2
		default:
			total++
		}
	}
	return total
}

// host returns the host of a server's address, or the address if it has none.
func host(issuer string) string {
	if u, err := url.Parse(issuer); err == nil && u.Host != "" {
		return u.Host
	}
	return issuer
}

// distance says how far away a time is, in its largest unit.
func distance(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := t.Sub(now)
	text := "in %s"
	if d < 0 {
		d, text = -d, "%s ago"
	}
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf(text, fmt.Sprint(int(d/(24*time.Hour)), " days"))
	case d >= 2*time.Hour:
		return fmt.Sprintf(text, fmt.Sprint(int(d/time.Hour), " h"))
	case d >= time.Minute:
		return fmt.Sprintf(text, fmt.Sprint(int(d/time.Minute), " min"))
	}
	return fmt.Sprintf(text, fmt.Sprint(int(d/time.Second), " s"))
}
