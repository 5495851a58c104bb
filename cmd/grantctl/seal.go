package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
)

const sealHelp = `
Seal seals with the first key of ` + keysVariable + ` whatever is stored as it is, so that an app that ran without
storage.Sealed can run with it. Each record is replaced by compare-and-swap, read again and opened.

  1. make a key:                      openssl rand -base64 32
  2. stop every process of the app
  3. run seal with the key;           if it was interrupted, run it again: it does the rest
  4. start the app, with storage.Sealed and this key

Storage keys stay as they are. In a store that was sealed from the beginning they are keyed hashes. Here they are plain
hashes: whoever reads the database can find out whether a user that he knows is in it.

What is sealed already stays as it is. What cannot be opened, or is damaged, is left as it is, its storage keys are printed,
and the exit code is 1.

Example:
  ` + keysVariable + `="$KEY" grantctl seal file:/var/lib/app/grants
`

func sealCommand() *command {
	return &command{
		name: "seal", args: []string{"STORE"}, about: "seal what is stored without a seal", help: sealHelp,
		setup: func(f *flag.FlagSet) action {
			asJSON := jsonFlag(f, `{"seen": N, "sealed": N, "already": N, "unopened": [KEY, ...]}`)
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error { return sealAll(ctx, c, v, asJSON()) })
			}
		},
	}
}

// sealer seals records, and counts.
type sealer struct {
	*vault
	store   storage.Store // sealed, above the vault
	owners  map[string]bool
	foreign bool // a grant or a name key is sealed with a key that is not here

	done sealedCounts
}

// sealedCounts is what -o json prints.
type sealedCounts struct {
	Seen     int      `json:"seen"`
	Sealed   int      `json:"sealed"`
	Already  int      `json:"already"`
	Unopened []string `json:"unopened"`
}

func sealAll(ctx context.Context, c *console, v *vault, asJSON bool) error {
	if v.keys == nil {
		return fmt.Errorf("there are no keys: set %s to the key that the app will have", keysVariable)
	}
	store, err := storage.Sealed(counted{v.backend, c.stderr}, v.keys)
	if err != nil {
		return err
	}
	s := &sealer{vault: v, store: store, owners: map[string]bool{}, done: sealedCounts{Unopened: []string{}}}
	if err := s.survey(ctx); err != nil {
		return err
	}
	err = s.seal(ctx)
	if e := s.print(c, asJSON); err == nil {
		err = e
	}
	switch {
	case err != nil:
		return fmt.Errorf("not finished; run it again, it does the rest: %w", err)
	case len(s.done.Unopened) > 0:
		return fmt.Errorf("%d records are damaged, or sealed with another key, and were left as they are; show STORE KEY says more", len(s.done.Unopened))
	case s.done.Seen == 0:
		return errors.New("there are no records here: is STORE right?")
	}
	return nil
}

// survey finds out whose grants there are, and whether another key was in use.
// Where none was, a record that does not open is one without a seal, even if it
// does not look like one.
func (s *sealer) survey(ctx context.Context) error {
	for e, err := range s.entries(ctx) {
		if err != nil {
			return err
		}
		switch k := kindOf(e.key); {
		case e.grant != nil && e.seal == sealNone:
			if err := s.own(ctx, e); err != nil {
				return err
			}
		case e.seal == sealUnknown && !errors.Is(e.err, storage.ErrCorrupt) && (k == grantKind || k.prefix == storage.NamePrefix):
			s.foreign = true
		}
	}
	return nil
}

// own remembers the owner of a grant whose storage key was made without a key.
func (s *sealer) own(ctx context.Context, e entry) error {
	name, err := grant.Key(ctx, s.backend, e.grant.Issuer, e.grant.ClientID, e.grant.Subject)
	if err == nil && name == e.key {
		s.owners[e.grant.Issuer+" "+e.grant.ClientID] = true
	}
	return err
}

// seal seals every record that needs it.
func (s *sealer) seal(ctx context.Context) error {
	for owner := range s.owners {
		err := storage.KeepNames(ctx, s.store, owner)
		if errors.Is(err, storage.ErrConflict) {
			return errors.New("an app has used this store with a seal and without one, so there may be two records of one user: " +
				"delete those that list shows as not sealed")
		}
		if err != nil {
			return err
		}
	}
	for key, err := range s.Keys(ctx) {
		if err == nil {
			err = s.sealKey(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	slices.Sort(s.done.Unopened)
	return nil
}

// sealKey seals the record under key, and counts it.
func (s *sealer) sealKey(ctx context.Context, key string) error {
	r, err := s.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) { // deleted meanwhile
		return nil
	}
	if err != nil && !errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	s.done.Seen++
	if err == nil {
		_, err = s.unseal(ctx, key, r)
	}
	switch plain := isPlain(key, r.Value()); {
	case err == nil:
		s.done.Already++
		return nil
	case errors.Is(err, storage.ErrCorrupt), errors.Is(err, seal.ErrUnsealed) && !plain && (s.foreign || kindOf(key) == grantKind):
		s.done.Unopened = append(s.done.Unopened, key)
		return nil
	case !errors.Is(err, seal.ErrUnsealed):
		return err
	}
	return s.replace(ctx, key, r)
}

// replace seals a record, reads it again and compares.
func (s *sealer) replace(ctx context.Context, key string, r storage.Record) error {
	v, err := s.store.Put(ctx, key, r.Value(), r.Version)
	if errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("%s has changed meanwhile: stop every process of the app", key)
	}
	if err != nil {
		return err
	}
	after, err := s.store.Get(ctx, key)
	if err != nil {
		return err
	}
	if after.Version != v || !bytes.Equal(after.Value(), r.Value()) {
		return fmt.Errorf("%s was sealed, and what is there now is something else: stop every process of the app", key)
	}
	s.done.Sealed++
	return nil
}

func (s *sealer) print(c *console, asJSON bool) error {
	if asJSON {
		return writeJSON(c.stdout, s.done)
	}
	fmt.Fprintf(c.stdout, "records: %d; sealed now: %d; sealed already: %d; cannot be opened: %d\n", s.done.Seen, s.done.Sealed, s.done.Already, len(s.done.Unopened))
	for _, key := range s.done.Unopened {
		fmt.Fprintln(c.stdout, "cannot be opened:", key)
	}
	return nil
}
