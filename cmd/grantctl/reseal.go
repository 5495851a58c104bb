package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

const resealHelp = `
Reseal seals with the first key of ` + keysVariable + ` whatever is sealed with one of the others, so that these can be
retired. The app may run meanwhile: each record is replaced by compare-and-swap.

  1. make a key:                     openssl rand -base64 32
  2. put it BEHIND the others, and restart every process: now all can open what it seals
  3. put it FIRST, and restart every process with these keys
  4. run reseal with the same keys;  if it was interrupted, run it again: it does the rest
  5. leave out the old keys, and restart. Sessions whose cookies an old key has sealed end then.

Without step 2, processes that have not been restarted yet cannot open what the others have sealed, and fail meanwhile.

What cannot be opened, or is damaged, is left as it is, its storage keys are printed, and the exit code is 1.

Example:
  ` + keysVariable + `="$NEW,$OLD" grantctl reseal file:/var/lib/app/grants
`

func resealCommand() *command {
	return &command{
		name: "reseal", args: []string{"STORE"}, about: "seal everything with the first key", help: resealHelp,
		setup: func(f *flag.FlagSet) action {
			asJSON := jsonFlag(f, `{"seen": N, "rewritten": N, "unopened": [KEY, ...]}`)
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error { return reseal(ctx, c, v, asJSON()) })
			}
		},
	}
}

// resealed is what -o json prints.
type resealed struct {
	Seen      int      `json:"seen"`
	Rewritten int      `json:"rewritten"`
	Unopened  []string `json:"unopened"`
}

func reseal(ctx context.Context, c *console, v *vault, asJSON bool) error {
	if v.keys == nil {
		return fmt.Errorf("there are no keys: set %s to the new key, a comma, and the old ones", keysVariable)
	}
	store, err := storage.Sealed(counted{v.backend, c.stderr}, v.keys)
	if err != nil {
		return err
	}
	done, err := storage.Reseal(ctx, store)
	if e := printResealed(c, done, asJSON); e != nil {
		return e
	}
	switch {
	case errors.Is(err, seal.ErrUnsealed):
		return fmt.Errorf("%d records are damaged, or cannot be opened with these keys, and were left as they are: "+
			"retire no key before you know why; show STORE KEY says it", len(done.Unopened))
	case err != nil:
		return fmt.Errorf("not finished; run it again, it does the rest: %w", err)
	case done.Seen == 0: // an operator who mistypes a name must not retire the keys of another store
		return errors.New("there are no records here: is STORE right?")
	}
	fmt.Fprintln(c.stderr, retirable(keyCount()))
	return nil
}

func printResealed(c *console, done storage.Resealed, asJSON bool) error {
	if asJSON {
		return writeJSON(c.stdout, resealed{done.Seen, done.Rewritten, append([]string{}, done.Unopened...)})
	}
	fmt.Fprintf(c.stdout, "records: %d; sealed again: %d; cannot be opened: %d\n", done.Seen, done.Rewritten, len(done.Unopened))
	for _, key := range done.Unopened {
		fmt.Fprintln(c.stdout, "cannot be opened:", key)
	}
	return nil
}

// retirable says which of n keys are needed no longer.
func retirable(n int) string {
	const condition = " can be retired, if every process had the first key first before this run began; if not, run it again then"
	switch n {
	case 1:
		return "there is one key: nothing to retire"
	case 2:
		return "key 2 of " + keysVariable + condition
	}
	return fmt.Sprintf("keys 2 to %d of %s%s", n, keysVariable, condition)
}

// counted is a store that prints how many keys it has listed.
type counted struct {
	backend
	to io.Writer
}

const countedStep = 1000

// Keys implements storage.Lister.
func (s counted) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		n := 0
		for key, err := range s.backend.Keys(ctx) {
			if n > 0 && n%countedStep == 0 {
				fmt.Fprintf(s.to, "%d records so far\n", n)
			}
			n++
			if !yield(key, err) {
				return
			}
		}
	}
}
