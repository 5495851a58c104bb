package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/authtrip/authtrip/storage"
)

const deleteHelp = `
Delete removes one grant from the store: the user must log in again. It shows the grant and asks first. If the grant changes
meanwhile nothing is deleted.

The tokens are NOT revoked at the server: grantctl revoke does that, or the app's /disconnect. Processes that have the grant
in memory go on using its access token until they look at the store again.

A grant that cannot be opened is deleted by its storage key, which list prints.

Examples:
  grantctl delete file:/var/lib/app/grants 2244994945
  grantctl delete -yes env:DATABASE_URL grant.5887d27b558679bae27ced4f42768b2b13a6bef184e157841e2d76491f6b2f7a
`

func deleteCommand() *command {
	return &command{
		name: "delete", args: []string{"STORE", "SUBJECT|KEY"}, about: "remove one grant; its tokens are not revoked", help: deleteHelp,
		setup: func(f *flag.FlagSet) action {
			yes := f.Bool("yes", false, "do not ask")
			asJSON := jsonFlag(f, `{"deleted": KEY}`)
			var s selector
			s.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(v *vault) error {
					e, err := v.findOne(ctx, args[1], s)
					if err == nil && !*yes {
						err = confirm(ctx, c, e, args[1], "delete", loss(e))
					}
					if err == nil {
						err = remove(ctx, v, e)
					}
					if err != nil {
						return err
					}
					if asJSON() {
						return writeJSON(c.stdout, map[string]string{"deleted": e.key})
					}
					fmt.Fprintf(c.stdout, "deleted %s%s\n", e.key, map[bool]string{true: "; its tokens were not revoked at the server"}[e.isGrant()])
					return nil
				})
			}
		},
	}
}

// findOne is find for a command that needs exactly one record.
func (v *vault) findOne(ctx context.Context, name string, s selector) (entry, error) {
	f, err := v.find(ctx, name, s)
	switch {
	case err != nil:
		return entry{}, err
	case len(f.entries) > 1:
		return entry{}, fmt.Errorf("the subject has %d grants: name one by its storage key, which show prints, or by -issuer and -client", len(f.entries))
	case f.unread > 0:
		return entry{}, fmt.Errorf("%d grants cannot be read, and may be the subject's too: name the storage key, which show prints, or -issuer and -client", f.unread)
	case strings.HasPrefix(f.entries[0].key, storage.NamePrefix):
		return entry{}, fmt.Errorf("%s holds the key that all storage keys of grants are made with: without it every grant is lost", f.entries[0].key)
	case kindOf(f.entries[0].key).name == "due":
		return entry{}, errors.New("this record lists revocations that are still to be made: it empties itself when they are made")
	case errors.Is(f.entries[0].err, storage.ErrCorrupt):
		return entry{}, f.entries[0].err // there is no version to compare; the store's error says what to do
	}
	return f.entries[0], nil
}

// confirm shows e, says what is lost, and asks for its name once more.
func confirm(ctx context.Context, c *console, e entry, name, verb, lost string) error {
	if err := show(c.stderr, []entry{e}, false); err != nil {
		return err
	}
	fmt.Fprint(c.stderr, "\n", lost, "\nTo ", verb, " it, type its name once more: ")
	line, err := readLine(ctx, c.stdin)
	if err != nil {
		fmt.Fprintln(c.stderr)
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("not confirmed: nothing was done: %w", err)
	}
	if strings.TrimRight(line, "\r\n") != name {
		return errors.New("not confirmed: nothing was done")
	}
	return nil
}

// loss says what is lost with a record.
func loss(e entry) string {
	switch kindOf(e.key).name {
	case "grant":
		return "The user must log in again. The tokens are not revoked at the server: revoke does that."
	case "sessions":
		return "All sessions of the user end. The grant stays."
	case "connections":
		return "The connections of a user of the app are not shown any more. The grants stay: revoke ends them."
	case "connection":
		return "The account has to be connected again. The grant stays: revoke ends it."
	case "accounts":
		return "Nobody is logged in to the command any more. The grants stay: revoke ends them."
	case "MCP login":
		return "The user of the command must log in again. The grant stays: revoke ends it."
	case "pending login":
		return "The login cannot be finished. Its tokens are not revoked at the server."
	}
	return "A program that needs the record may fail without it."
}

// readLine returns what is typed up to the end of the line. With an error it
// returns what came before the error. The error is that of the end of input, or
// the cause of the end of ctx. The read then goes on by itself, because no way
// to end it works with every terminal, pipe and file. The program ends soon.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadString('\n')
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// remove deletes e if it is still as it was read.
func remove(ctx context.Context, v *vault, e entry) error {
	err := v.Delete(ctx, e.key, e.record.Version)
	if errors.Is(err, storage.ErrConflict) {
		return errors.New("it has changed meanwhile, so nothing was deleted: look at it again")
	}
	return err
}
