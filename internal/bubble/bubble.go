// Package bubble looks into testing/synctest bubbles, for tests.
package bubble

import (
	"bytes"
	"runtime"
)

// Goroutines returns how many goroutines live in the bubble of the caller.
// Unlike runtime.NumGoroutine it counts none of the runtime's own, which come
// and go with garbage collections, nor those of other tests.
func Goroutines() int {
	stacks := allStacks()
	header, _, _ := bytes.Cut(stacks, []byte("\n")) // of the caller: "goroutine 24 [running, synctest bubble 1]:"
	at := bytes.Index(header, []byte(", synctest bubble "))
	if at < 0 {
		panic("bubble: called outside of a synctest bubble")
	}
	return bytes.Count(stacks, append(header[at:len(header):len(header)], '\n'))
}

func allStacks() []byte {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}
