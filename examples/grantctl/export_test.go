package main

import (
	"io"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// Run is run.
var Run = run

// Condition is what list says of a grant that is sealed with the first key.
func Condition(g tokensource.StoredGrant, now time.Time) string {
	return entry{key: grantPrefix, seal: sealFirst, grant: &g}.condition(now)
}

// Printable is printable.
var Printable = printable

// IsPlain is isPlain.
var IsPlain = isPlain

// Counted returns store as reseal sees it, which tells its progress to w.
func Counted(store *storage.Memory, w io.Writer) storage.Lister {
	return counted{pretended{store}, w}
}
