package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
)

// outputFlag adds the flag -o, which says in which format a command prints.
// About says what "json" prints. The formats are text, json, and others that
// the command knows.
func outputFlag(f *flag.FlagSet, format *string, about string, others ...string) {
	formats := append([]string{"text"}, append(others, "json")...)
	*format = "text"
	f.Func("o", "the `format` of what is printed: "+strings.Join(formats, ", ")+`; "json" prints `+about, func(value string) error {
		if !slices.Contains(formats, value) {
			return errors.New("no such format")
		}
		*format = value
		return nil
	})
}

// jsonFlag is outputFlag for a command that knows text and json only. It
// reports whether json is wanted.
func jsonFlag(f *flag.FlagSet, about string) func() bool {
	format := new(string)
	outputFlag(f, format, about)
	return func() bool { return *format == "json" }
}
