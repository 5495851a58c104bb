package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

const importHelp = `
Import reads what export has written from stdin, and creates the records. A key that exists already is left alone and counts
as a conflict, unless it has the same value, or -replace is given. So import can be run again after it was interrupted.

The first line that is wrong ends it; the lines before it have been imported. -n checks all of them and writes nothing; in
PostgreSQL the table must exist for that. With ` + keysVariable + ` set, values that these keys do not open are wrong.

Stop the app first, and start it again on the new store only: else refresh tokens are spent twice.

Examples:
  grantctl import -n env:DATABASE_URL <grants.jsonl
  grantctl import env:DATABASE_URL <grants.jsonl
`

func importCommand() *command {
	return &command{
		name: "import", args: []string{"STORE"}, about: "create records from stdin, as export wrote them", help: importHelp,
		setup: func(f *flag.FlagSet) action {
			var i importer
			i.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], i.mode(), func(v *vault) error {
					i.to, i.log = v, c.stderr
					return i.finish(c, i.lines(ctx, c.stdin))
				})
			}
		},
	}
}

// importer writes records to a store, and counts.
type importer struct {
	to                                 *vault
	log                                io.Writer
	insecure, replace, dry             bool
	json                               func() bool
	created, same, replaced, conflicts int
}

func (i *importer) flags(f *flag.FlagSet) {
	f.BoolVar(&i.insecure, "insecure-plaintext", false, fmt.Sprintf(insecureHelp, "store"))
	f.BoolVar(&i.replace, "replace", false, "replace what exists already and differs; what it was is lost")
	f.BoolVar(&i.dry, "n", false, "check and count only; write nothing")
	i.json = jsonFlag(f, `{"created": N, "same": N, "replaced": N, "conflicts": N}`)
}

// mode says what is opened if there is no store yet.
func (i *importer) mode() mode {
	if i.dry {
		return mayPretend
	}
	return mayCreate
}

// longestLine is more than the longest value needs, in base64 and with its key.
const longestLine = 2 << 20

// lines adds every line of in.
func (i *importer) lines(ctx context.Context, in io.Reader) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, longestLine)
	n := 0
	for scanner.Scan() {
		n++
		l, err := parseLine(scanner.Bytes())
		if err == nil {
			err = i.add(ctx, l.Key, l.Value)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d: longer than any record", n+1)
	} else if err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

// parseLine reads one line of export, strictly. Its errors do not show the
// value.
func parseLine(text []byte) (line, error) {
	var l struct {
		Key   *string `json:"key"`
		Value *[]byte `json:"value"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return line{}, fmt.Errorf("it is not what export writes: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return line{}, errors.New("it is not what export writes: there is more after the object")
	}
	if l.Key == nil || l.Value == nil {
		return line{}, errors.New("it is not what export writes: key or value is missing")
	}
	return line{*l.Key, *l.Value}, nil
}

// add creates a record, or finds that it exists.
func (i *importer) add(ctx context.Context, key string, value []byte) error {
	if err := i.check(ctx, key, value); err != nil {
		return err
	}
	if !i.dry {
		_, err := i.to.Put(ctx, key, value, 0)
		if err == nil {
			i.created++
		}
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	stored, err := i.to.Get(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound) && i.dry:
		i.created++
	case err != nil:
		return err
	case bytes.Equal(stored.Value(), value):
		i.same++
	case i.replace:
		return i.overwrite(ctx, key, value, stored.Version)
	default:
		i.conflict(key, "exists and differs")
	}
	return nil
}

// check refuses what the store or the app could not read, and tokens in the
// clear.
func (i *importer) check(ctx context.Context, key string, value []byte) error {
	if err := errors.Join(storage.CheckKey(key), storage.CheckValue(value)); err != nil {
		return err
	}
	if isPlain(key, value) {
		if i.insecure {
			return checkSubject(key, value)
		}
		return fmt.Errorf("%s is not sealed: its tokens would be readable in the store; -insecure-plaintext takes it all the same", key)
	}
	if i.to.keys == nil {
		return nil
	}
	plain, err := i.to.unseal(ctx, key, storage.NewRecord(value, 0))
	if err != nil {
		return err
	}
	return checkSubject(key, plain)
}

// checkSubject refuses a grant that no login can have made: the engine refuses
// such a subject, because it would break lines of a log.
func checkSubject(key string, plain []byte) error {
	g, err := grant.Inspect(plain)
	if err == nil && strings.ContainsFunc(g.Subject, unicode.IsControl) {
		return fmt.Errorf("%s: its subject has control characters", key)
	}
	return nil
}

func (i *importer) overwrite(ctx context.Context, key string, value []byte, old storage.Version) error {
	if i.dry {
		i.replaced++
		return nil
	}
	_, err := i.to.Put(ctx, key, value, old)
	switch {
	case err == nil:
		i.replaced++
	case errors.Is(err, storage.ErrConflict):
		i.conflict(key, "has changed meanwhile: is the app running?")
	default:
		return err
	}
	return nil
}

func (i *importer) conflict(key, why string) {
	i.conflicts++
	fmt.Fprintf(i.log, "left alone: %s %s\n", key, why)
}

// finish prints what was done. Err is what ended it, if anything did.
func (i *importer) finish(c *console, err error) error {
	if i.json() {
		e := writeJSON(c.stdout, map[string]int{"created": i.created, "same": i.same, "replaced": i.replaced, "conflicts": i.conflicts})
		err = errors.Join(err, e)
	} else {
		fmt.Fprintf(c.stdout, "created: %d; there already: %d; replaced: %d; conflicts: %d%s\n",
			i.created, i.same, i.replaced, i.conflicts, map[bool]string{true: " (nothing was written: -n)"}[i.dry])
	}
	if err == nil && i.conflicts > 0 {
		err = fmt.Errorf("%d records were left alone; -replace replaces them", i.conflicts)
	}
	return err
}
