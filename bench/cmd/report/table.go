package main

import (
	"fmt"
	"math"
	"strings"
)

// table is a Markdown table.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	if t.title != "" {
		fmt.Fprintf(&b, "%s\n\n", t.title)
	}
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// ratio prints a ratio, and what it is to be at most, if there is a goal: bold
// means that it is not met.
func ratio(got float64, goal ...float64) string {
	text := fmt.Sprintf("%.2f", got)
	if got >= 10 {
		text = fmt.Sprintf("%.1f", got)
	}
	switch {
	case len(goal) == 0:
		return text
	case math.Round(got*100) > math.Round(goal[0]*100):
		return fmt.Sprintf("**%s** (goal %.2f, missed)", text, goal[0])
	}
	return fmt.Sprintf("%s (goal %.2f)", text, goal[0])
}

// mebibytes prints bytes, and what they are to be at most, in MiB, if there is
// a goal: bold means that it is not met.
func mebibytes(n int64, goal ...float64) string {
	got := float64(n) / (1 << 20)
	text := fmt.Sprintf("%.2f MiB", got)
	switch {
	case len(goal) == 0:
		return text
	case got > goal[0]:
		return fmt.Sprintf("**%s** (goal %.0f MiB, missed)", text, goal[0])
	}
	return fmt.Sprintf("%s (goal %.0f MiB)", text, goal[0])
}

func whole(n float64) string { return thousands(int64(math.Round(n))) }

// thousands prints n with commas.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// nanos prints a time per operation with three digits.
func nanos(ns float64) string {
	switch {
	case ns < 100:
		return fmt.Sprintf("%.1f ns", ns)
	case ns < 10_000:
		return whole(ns) + " ns"
	case ns < 1e6:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.0f ms", ns/1e6)
}
