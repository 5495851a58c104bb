// Program report measures authtrip beside its peers and prints the tables of
// docs/performance.md.
//
//	cd bench
//	go run ./cmd/report          # print all tables
//	go run ./cmd/report -write   # and write tables and plots to docs
//	go run ./cmd/report -only transport,tokens -scale quick
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/authtrip/authtrip/bench/internal/paired"
)

// scale says how much is measured.
type scale struct {
	paired   paired.Options
	network  paired.Options // over loopback, where noise is larger
	storms   []int          // goroutines
	repeats  int            // of a storm
	subjects []int          // powers of ten
	active   int            // of the largest number of subjects
	modules  bool           // run the benchmarks of other modules
}

var scales = map[string]scale{
	"full": {
		paired:  paired.Options{Rounds: 200, Batch: time.Millisecond},
		network: paired.Options{Rounds: 100, Batch: 5 * time.Millisecond},
		storms:  []int{1000, 10_000}, repeats: 7,
		subjects: []int{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}, active: 10_000, modules: true,
	},
	"quick": {
		paired:  paired.Options{Rounds: 40, Batch: 500 * time.Microsecond},
		network: paired.Options{Rounds: 20, Batch: 2 * time.Millisecond},
		storms:  []int{1000}, repeats: 2,
		subjects: []int{1, 100, 10_000}, active: 1000, modules: true,
	},
	"smoke": { // for the test of this program: its figures mean nothing
		paired:  paired.Options{Rounds: 2, Batch: time.Microsecond, Least: 1},
		network: paired.Options{Rounds: 2, Batch: time.Microsecond, Least: 1},
		storms:  []int{20}, repeats: 1, subjects: []int{1, 10}, active: 10,
	},
}

// report is one run of the program.
type report struct {
	size  string // the scale's name
	scale scale
	out   io.Writer
	page  *page  // nil if nothing is to be written
	when  string // conditions of the section that runs
}

// sections are what can be measured, in the order of the page.
var sections = []struct {
	name string
	run  func(*report) error
}{
	{"machine", (*report).machine},
	{"transport", (*report).transports},
	{"turns", (*report).turns},
	{"loopback", (*report).loopback},
	{"tokens", (*report).tokens},
	{"storms", (*report).storms},
	{"growth", (*report).growth},
	{"stores", (*report).stores},
	{"fleet", (*report).fleet},
	{"tenants", (*report).tenants},
	{"mass", (*report).mass},
}

func main() {
	size := flag.String("scale", "full", "how much to measure: full or quick")
	only := flag.String("only", "", "sections to run, separated by commas (default: all)")
	write := flag.Bool("write", false, "put tables and plots into the docs")
	docs := flag.String("docs", "../docs", "the directory that holds performance.md and performance/")
	flag.Parse()
	if err := run(os.Stdout, *size, *only, *write, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, size, only string, write bool, docs string) error {
	s, ok := scales[size]
	if !ok {
		return fmt.Errorf("no scale %q: use full or quick", size)
	}
	r := &report{size: size, scale: s, out: out}
	if write {
		var err error
		if r.page, err = openPage(docs); err != nil {
			return err
		}
	}
	wanted := strings.FieldsFunc(only, func(c rune) bool { return c == ',' })
	for _, name := range wanted {
		if !known(name) {
			return fmt.Errorf("no section %q", name)
		}
	}
	for _, section := range sections {
		if len(wanted) > 0 && !contains(wanted, section.name) {
			continue
		}
		r.when = r.conditions()
		if err := section.run(r); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	if r.page == nil {
		return nil
	}
	return r.page.save()
}
