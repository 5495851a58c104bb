package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
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

// column returns text in exactly width columns. If it is longer, its end is an
// ellipsis.
func column(text string, width int) string {
	total, fits := 0, 0 // columns, and the bytes that leave room for the ellipsis
	for i, r := range text {
		if total < width {
			fits = i
		}
		total += columnsOf(r)
	}
	if total <= width {
		return text + strings.Repeat(" ", width-total)
	}
	text = text[:fits]
	total = 0
	for _, r := range text {
		total += columnsOf(r)
	}
	return text + "…" + strings.Repeat(" ", width-1-total)
}

// double are the characters that take two columns on a terminal (Unicode
// Standard Annex 11, W and F), in blocks: those of East Asia, and emoji.
var double = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, {Lo: 0xa960, Hi: 0xa97f, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe10, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x16fe0, Hi: 0x1b2ff, Stride: 1}, {Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

// columnsOf returns how many columns a character takes.
func columnsOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(double, r):
		return 2
	}
	return 1
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
