package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A mutant is one rule broken on purpose: a text of a source file and what
// stands in its place.
//
// The files in the folder mutants hold them in this form:
//
//	== name of the mutant
//	rule: what is broken, with the number of the invariant
//	file: path from the root of the repository
//	proof: name of the proof that finds it fastest
//	also: names of other proofs that must find it (only if there are any)
//	equivalent: why no user and no server can see it (only if that is so)
//	-- old
//	text that stands in the file exactly once
//	-- new
//	text that replaces it
type mutant struct {
	name, rule, file, proof, equivalent string
	also                                []string
	old, new                            string
	source                              string // where it is written, for messages
}

// readMutants reads every file of the folder.
func readMutants(dir string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list, err := parseMutants(filepath.Base(path), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

func parseMutants(source, text string) ([]mutant, error) {
	var list []mutant
	part := "" // "old" or "new" inside of a text
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "== "); ok {
			list = append(list, mutant{name: name, source: fmt.Sprintf("%s:%d", source, n)})
			part = ""
			continue
		}
		if len(list) == 0 {
			continue // a preface
		}
		m := &list[len(list)-1]
		switch {
		case line == "-- old" || line == "-- new":
			part = line[3:]
		case part == "old":
			m.old += line + "\n"
		case part == "new":
			m.new += line + "\n"
		case line == "":
		default:
			if err := m.set(line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", source, n, err)
			}
		}
	}
	for i := range list {
		list[i].new = strings.TrimRight(list[i].new, "\n") + "\n"
		list[i].old = strings.TrimRight(list[i].old, "\n") + "\n"
	}
	return list, lines.Err()
}

func (m *mutant) set(line string) error {
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "rule":
		m.rule = value
	case "file":
		m.file = value
	case "proof":
		m.proof = value
	case "also":
		m.also = strings.Split(value, ", ")
	case "equivalent":
		m.equivalent = value
	default:
		return fmt.Errorf("a mutant has no member %q", key)
	}
	return nil
}

// apply returns the source file with the rule broken. The old text must stand
// in it exactly once.
func (m *mutant) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", m.source, m.name, err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%s: %s: the old text stands %d times in %s, want once", m.source, m.name, n, m.file)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// check returns what is wrong with a list of mutants.
func check(root string, list []mutant) []error {
	var errs []error
	seen := map[string]bool{}
	for i := range list {
		m := &list[i]
		known := !slices.ContainsFunc(append(m.also, m.proof), func(name string) bool { return proofs[name] == nil })
		switch {
		case seen[m.name]:
			errs = append(errs, fmt.Errorf("%s: two mutants have the name %q", m.source, m.name))
		case m.rule == "" || m.file == "" || m.old == m.new:
			errs = append(errs, fmt.Errorf("%s: %s: rule, file, old or new is missing", m.source, m.name))
		case !known && m.equivalent == "":
			errs = append(errs, fmt.Errorf("%s: %s: a proof is not one of %q", m.source, m.name, proofNames()))
		default:
			if _, err := m.apply(root); err != nil {
				errs = append(errs, err)
			}
		}
		seen[m.name] = true
	}
	return errs
}

func proofNames() []string {
	var names []string
	for name := range proofs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
