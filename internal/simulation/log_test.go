package simulation_test

import (
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"sync"
	"time"
)

// logbook keeps the latest lines of each user, and a digest of all lines. Two
// runs with one digest did the same things at the same moments.
//
// The digest adds up hashes of lines, so that the order of two lines of one
// instant does not matter.
type logbook struct {
	mu     sync.Mutex // guards the rest
	lines  map[string][]string
	digest uint64
	count  int
	follow string // print the lines of this user as they come; "all" means everybody
}

const linesKept = 60

func newLogbook(follow string) *logbook {
	return &logbook{lines: map[string][]string{}, follow: follow}
}

func (l *logbook) add(at time.Duration, process, user, text string) {
	line := fmt.Sprintf("%-18v %-6s %-7s %s", at, process, user, text)
	h := fnv.New64a()
	_, _ = io.WriteString(h, line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digest += mix(h.Sum64())
	l.count++
	if l.follow == "all" || l.follow != "" && (user == l.follow || user == "") {
		fmt.Println(line)
	}
	kept := append(l.lines[user], line)
	if len(kept) > 2*linesKept {
		kept = append([]string(nil), kept[linesKept:]...)
	}
	l.lines[user] = kept
}

// latest returns the last lines of a user.
func (l *logbook) latest(user string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.lines[user]
	return strings.Join(kept[max(0, len(kept)-linesKept):], "\n")
}
