package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// Run is run, with requests to authorization servers through
// http.DefaultTransport.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return run(ctx, http.DefaultTransport, args, stdin, stdout, stderr)
}

// RunAt is run, with requests to authorization servers through transport.
var RunAt = run

// Condition is what list says of a grant that is sealed with the first key.
func Condition(g grant.Grant, now time.Time) string {
	return entry{key: grantKind.prefix, seal: sealFirst, grant: &g}.condition(now)
}

// Printable is printable.
var Printable = printable

// IsPlain is isPlain.
var IsPlain = isPlain

// List lists what is in b.
func List(ctx context.Context, b interface {
	storage.Store
	storage.Lister
	Close() error
}, stdout, stderr io.Writer) error {
	return new(lister).list(ctx, &console{stdout: stdout, stderr: stderr}, &vault{backend: b})
}

// Counted returns store as reseal sees it, which prints its progress to w.
func Counted(store *storage.Memory, w io.Writer) storage.Lister {
	return counted{pretended{store}, w}
}

// WithoutControls is withoutControls.
var WithoutControls = withoutControls

// Seal seals what is in b, with the keys of the environment.
func Seal(ctx context.Context, b interface {
	storage.Store
	storage.Lister
}, stdout, stderr io.Writer) error {
	keys, err := keysFromEnvironment()
	if err != nil {
		return err
	}
	return sealAll(ctx, &console{stdout: stdout, stderr: stderr}, &vault{unclosed{b, b}, keys}, false)
}

// unclosed is a store without Close.
type unclosed struct {
	storage.Store
	storage.Lister
}

func (unclosed) Close() error { return nil }

// WriteJSON is writeJSON.
var WriteJSON = writeJSON
