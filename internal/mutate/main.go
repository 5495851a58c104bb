// Command mutate breaks the rules of the engine one at a time and reports which
// proof notices, after how long. Run it with "make mutate".
//
// A mutant that no proof notices is a hole in the proofs, or it changes nothing
// that a user or a server can see. In the second case the mutant says why.
//
// The product code has no switches for this: the go command compiles a changed
// copy of one file in place of the file (go help build, -overlay).
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"
)

func main() {
	only := flag.String("only", "", "run the mutants whose name matches this regular expression")
	limit := flag.Duration("limit", 10*time.Minute, "how long one proof may look for one mutant")
	verbose := flag.Bool("v", false, "print what the failing proof printed")
	flag.Parse()
	log.SetFlags(0)

	root, err := filepath.Abs(".")
	if err != nil {
		log.Fatal(err)
	}
	list, err := readMutants(filepath.Join(root, "internal", "mutate", "mutants"))
	if err != nil {
		log.Fatal(err)
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	if errs := check(root, list); len(errs) > 0 {
		for _, err := range errs {
			log.Print(err)
		}
		os.Exit(1)
	}
	if alive := runAll(root, list, pattern, *limit, *verbose); alive > 0 {
		log.Fatalf("%d mutants live", alive)
	}
}

// runAll prints a table and returns the number of mutants that no proof found.
func runAll(root string, list []mutant, pattern *regexp.Regexp, limit time.Duration, verbose bool) int {
	fmt.Printf("%d mutants, %d cores\n\n| mutant | rule | found by | s |\n|---|---|---|---|\n", len(list), runtime.NumCPU())
	alive := 0
	for i := range list {
		m := &list[i]
		if !pattern.MatchString(m.name) {
			continue
		}
		if m.equivalent != "" {
			fmt.Printf("| %s | %s | equivalent: %s | |\n", m.name, m.rule, m.equivalent)
			continue
		}
		start := time.Now()
		found, output, err := m.hunt(root, limit)
		if err != nil {
			log.Fatal(err)
		}
		if found == "" {
			alive++
			found = "**nothing**"
		}
		fmt.Printf("| %s | %s | %s | %.0f |\n", m.name, m.rule, found, time.Since(start).Seconds())
		if verbose {
			fmt.Println(output)
		}
	}
	return alive
}
