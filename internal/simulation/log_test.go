package simulation_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// logbook keeps the latest lines of each user. With digesting it also keeps a
// digest of all lines: two runs with one digest did the same things at the same
// moments.
//
// The digest adds up hashes of lines, so that the order of two lines of one
// instant does not matter. A line is formatted only when somebody needs it,
// because most runs print nothing.
type logbook struct {
	follow    string // print the lines of this user as they come; "all" means everybody
	digesting bool

	mu     sync.Mutex // guards the rest
	lines  map[string][]logLine
	digest uint64
	count  int
}

// logLine is one line, not formatted yet.
type logLine struct {
	at            time.Duration // since the start
	process, user string
	format        string
	args          []any
}

func (l logLine) String() string {
	return fmt.Sprintf("%-18v %-7s %-7s %s", l.at, l.process, l.user, fmt.Sprintf(l.format, l.args...))
}

const linesKept = 80

func newLogbook(follow string, digesting bool) *logbook {
	return &logbook{follow: follow, digesting: digesting, lines: map[string][]logLine{}}
}

func (l *logbook) add(line logLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	if l.digesting {
		h := fnv.New64a()
		_, _ = io.WriteString(h, line.String()) // never fails (package hash)
		l.digest += mix(h.Sum64())
	}
	if l.follow == "all" || l.follow != "" && (line.user == l.follow || line.user == "") {
		fmt.Println(line)
	}
	kept := append(l.lines[line.user], line)
	if len(kept) > 4*linesKept {
		kept = append(kept[:0], kept[3*linesKept:]...)
	}
	l.lines[line.user] = kept
}

// latest returns the last lines of a user, and of the processes meanwhile.
func (l *logbook) latest(user string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.lines[user]
	kept = kept[max(0, len(kept)-linesKept):]
	if user != "" && len(kept) > 0 {
		all := slices.DeleteFunc(slices.Clone(l.lines[""]), func(line logLine) bool { return line.at < kept[0].at })
		kept = append(all, kept...)
		slices.SortStableFunc(kept, func(a, b logLine) int { return cmp.Compare(a.at, b.at) })
	}
	var text strings.Builder
	for _, line := range kept {
		fmt.Fprintln(&text, line)
	}
	return text.String()
}
