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
	"slices"
	"time"
)

func main() {
	only := flag.String("only", "", "run the mutants whose name matches this regular expression")
	proof := flag.String("proof", "", "ask this proof alone")
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
	list = slices.DeleteFunc(list, func(m mutant) bool { return !pattern.MatchString(m.name) })
	if errs := check(root, list); len(errs) > 0 {
		for _, err := range errs {
			log.Print(err)
		}
		os.Exit(1)
	}
	if missed := runAll(root, list, *proof, *verbose); missed > 0 {
		log.Fatalf("%d mutants live, or a proof has missed them", missed)
	}
}

// runAll prints a table and returns the number of mutants that a proof has
// missed. If only is not empty, it is the only proof that is asked.
func runAll(root string, list []mutant, only string, verbose bool) int {
	fmt.Printf("%d mutants, %d cores\n\n| mutant | rule | found by | s |\n|---|---|---|---|\n", len(list), runtime.NumCPU())
	missed := 0
	for i := range list {
		m := &list[i]
		if m.equivalent != "" {
			fmt.Printf("| %s | %s | equivalent: %s | |\n", m.name, m.rule, m.equivalent)
			continue
		}
		start := time.Now()
		found, output, err := m.seek(root, only)
		if err != nil {
			missed++
			found = "**" + err.Error() + "**"
		}
		fmt.Printf("| %s | %s | %s | %.0f |\n", m.name, m.rule, found, time.Since(start).Seconds())
		if verbose {
			fmt.Println(output)
		}
	}
	return missed
}
