// Grantctl is a command for operators: it works on the grants in a store. It
// lists and shows them without tokens, revokes or deletes one, seals all of
// them with a new key, moves them to another store, and adopts the tokens that
// another program keeps:
//
//	go run ./cmd/grantctl -h
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, http.DefaultTransport, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// console is what a command talks to. Nothing that is written to it is secret,
// but for what export writes to stdout under -insecure-plaintext.
type console struct {
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	terminal bool // stdout is one, as far as can be told

	transport http.RoundTripper // of requests to authorization servers
}

// run does what args say and returns the exit code: 0 if all of it was done, 1
// if not, 2 if args make no sense.
func run(ctx context.Context, transport http.RoundTripper, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	c := &console{stdin: stdin, stdout: out, stderr: stderr, terminal: isTerminal(stdout), transport: transport}
	err := dispatch(ctx, c, args)
	if e := out.Flush(); e != nil && err == nil {
		err = fmt.Errorf("the output was not written in full: %w", e)
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, "grantctl:", withoutControls(err.Error()))
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
