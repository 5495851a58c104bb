package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
)

const exportHelp = `
Export writes every record of the store to stdout, grants and all else, one JSON object a line:

  {"key": STORAGE KEY, "value": BASE64 OF WHAT IS STORED}

What is sealed stays sealed: no key is needed, and whoever imports it needs the same keys. What is not sealed are tokens in
the clear: export refuses to write them, unless -insecure-plaintext is given, and to a terminal always.

Stop the app first, and start it again on the new store only: else refresh tokens are spent twice.

Example:
  grantctl export file:/var/lib/app/grants >grants.jsonl
`

const insecureHelp = "take records that are not sealed; what is lost: whoever reads the %s has the tokens"

func exportCommand() *command {
	return &command{
		name: "export", args: []string{"STORE"}, about: "write all records to stdout, as they are stored", help: exportHelp,
		setup: func(f *flag.FlagSet) action {
			insecure := f.Bool("insecure-plaintext", false, fmt.Sprintf(insecureHelp, "output"))
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error { return export(ctx, c, v, *insecure) })
			}
		},
	}
}

// line is a record as it is exported. Its value may hold tokens: it is never
// printed but as JSON to where it shall go.
type line struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

func export(ctx context.Context, c *console, v *vault, insecure bool) error {
	written, plain := 0, 0
	err := v.each(ctx, c.stderr, func(key string, value []byte) error {
		if isPlain(key, value) {
			if err := mayWrite(c, key, insecure); err != nil {
				return err
			}
			plain++
		}
		written++
		return writeJSON(c.stdout, line{key, value})
	})
	if damaged, ok := errors.AsType[errIncomplete](err); ok || err == nil {
		fmt.Fprintf(c.stderr, "exported: %d. %s\n", written, sealedNote(written, plain, int(damaged)))
	}
	return err
}

// mayWrite refuses to write what holds tokens in the clear.
func mayWrite(c *console, key string, insecure bool) error {
	switch {
	case !insecure:
		return fmt.Errorf("stopped: %s is not sealed: its tokens would be readable; -insecure-plaintext exports them all the same", key)
	case c.terminal:
		return fmt.Errorf("stopped: %s is not sealed, and stdout is a terminal: write to a file that only you can read", key)
	}
	return nil
}

func sealedNote(written, plain, damaged int) string {
	switch {
	case written == 0 && damaged > 0:
		return "All records are damaged."
	case written == 0:
		return "The store is empty."
	case plain > 0:
		return fmt.Sprintf("%d of them are NOT SEALED: whoever reads the output has their tokens.", plain)
	}
	return "They are sealed as they were: whoever reads them needs the same keys."
}
