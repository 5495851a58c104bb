package members

import (
	"bytes"
	"fmt"
	"strings"
)

// noNumbers are what some languages write for a number that JSON does not have.
var noNumbers = []string{"NaN", "Infinity", "-Infinity"}

// mended returns JSON with three faults mended that encoding/json refuses. In a
// text, a control character is escaped, and a backslash that begins no escape
// is left out. A server that joins texts by itself makes both faults, in a
// member that nobody reads. And NaN and Infinity become null. Valid JSON stays
// as it is.
func mended(body []byte) []byte {
	var out bytes.Buffer
	done, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
		case !inText:
			for _, word := range noNumbers {
				if bytes.HasPrefix(body[i:], []byte(word)) {
					out.Write(body[done:i])
					out.WriteString("null")
					done = i + len(word)
					i = done - 1
					break
				}
			}
		case c < ' ':
			out.Write(body[done:i])
			fmt.Fprintf(&out, `\u%04x`, c)
			done = i + 1
		case c == '\\' && i+1 < len(body) && !escapes(body[i+1:]):
			out.Write(body[done:i])
			done = i + 1
		case c == '\\':
			i++
		}
	}
	if done == 0 {
		return body
	}
	out.Write(body[done:])
	return out.Bytes()
}

// escapes reports whether a backslash before rest begins an escape.
func escapes(rest []byte) bool {
	if rest[0] != 'u' {
		return strings.ContainsRune(`"\/bfnrt`, rune(rest[0]))
	}
	return len(rest) < 5 || strings.Trim(string(rest[1:5]), "0123456789abcdefABCDEF") == ""
}
