package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/authtrip/authtrip/storage"
)

// each calls do with every record as it is stored, in no order, until do fails.
// It leaves out damaged records and names them on stderr. Its error is then an
// errIncomplete.
func (v *vault) each(ctx context.Context, stderr io.Writer, do func(key string, value []byte) error) error {
	var damaged errIncomplete
	for key, err := range v.Keys(ctx) {
		if err != nil {
			return err
		}
		r, err := v.Get(ctx, key)
		switch {
		case errors.Is(err, storage.ErrNotFound): // deleted meanwhile
			continue
		case errors.Is(err, storage.ErrCorrupt):
			fmt.Fprintf(stderr, "left out: %s: %s\n", key, printable(err.Error()))
			damaged++
			continue
		case err == nil:
			err = do(key, r.Value())
		}
		if err != nil {
			return err
		}
	}
	if damaged > 0 {
		return damaged
	}
	return nil
}

// errIncomplete is how many records were left out.
type errIncomplete int

func (e errIncomplete) Error() string { return fmt.Sprintf("%d damaged records were left out", int(e)) }
