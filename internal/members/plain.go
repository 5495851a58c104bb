package members

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Nearly every answer is a small object of texts and numbers without escapes.
// What follows reads those without a decoder, which takes memory for each
// value. Everything else is left to encoding/json.

const space = " \t\r\n"

// listed returns the members of an object that is valid JSON. The values are
// parts of body.
func listed(body []byte) []member {
	list := make([]member, 0, 8)
	for rest := body[1:]; ; {
		rest = bytes.TrimLeft(rest, space+",")
		if rest[0] == '}' {
			return list
		}
		n := length(rest)
		name, _ := String(rest[:n])
		rest = bytes.TrimLeft(rest[n:], space+":")
		n = length(rest)
		list = append(list, member{name, rest[:n:n]})
		rest = rest[n:]
	}
}

// length returns how many bytes the value at the beginning of valid JSON has.
func length(s []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
		switch {
		case depth < 0: // the end of the object around a number
			return i
		case depth > 0 || inText:
		case strings.IndexByte(`"]}`, s[i]) >= 0:
			return i + 1
		case strings.IndexByte(","+space, s[i]) >= 0:
			return i
		}
	}
	return len(s)
}

// plain returns a text that has no escape and is ASCII. It returns false for
// any other value.
func plain(value []byte) (string, bool) {
	n := len(value)
	if n < 2 || value[0] != '"' || value[n-1] != '"' {
		return "", false
	}
	for _, c := range value[1 : n-1] {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return string(value[1 : n-1]), true
}

// small returns a whole number without a sign that every float64 holds exactly.
// It returns false for any other value.
func small(value []byte) (float64, bool) {
	const digits = 15
	if len(value) == 0 || len(value) > digits || value[0] == '0' && len(value) > 1 {
		return 0, false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return float64(n), err == nil
}

// String returns a text, and an empty one for null. It returns false for any
// other value.
func String(value json.RawMessage) (string, bool) {
	if s, ok := plain(value); ok {
		return s, true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}
