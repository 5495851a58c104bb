package members

import (
	"bytes"
	"fmt"
	"strings"
)

// mended returns JSON with two faults of texts mended that encoding/json
// refuses: a control character is escaped, and a backslash that begins no
// escape is left out. A server that joins texts by itself makes both faults, in
// a member that nobody reads. Valid JSON stays as it is.
func mended(body []byte) []byte {
	var out bytes.Buffer
	done, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
		case !inText:
		case c < ' ':
			out.Write(body[done:i])
			fmt.Fprintf(&out, `\u%04x`, c)
			done = i + 1
		case c == '\\' && i+1 < len(body) && !strings.ContainsRune(`"\/bfnrtu`, rune(body[i+1])):
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
