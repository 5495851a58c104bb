package main

import (
	"context"
	"io"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// Run is run.
var Run = run

// Condition is what list says of a grant that is sealed with the first key.
func Condition(g grant.Grant, now time.Time) string {
	return entry{key: grantPrefix, seal: sealFirst, grant: &g}.condition(now)
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
	return list(ctx, &console{stdout: stdout, stderr: stderr}, &vault{backend: b}, false)
}

// Counted returns store as reseal sees it, which tells its progress to w.
func Counted(store *storage.Memory, w io.Writer) storage.Lister {
	return counted{pretended{store}, w}
}
