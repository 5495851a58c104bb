package members

import (
	"encoding/json"
	"strconv"
)

// Nearly every value is a text without escapes, or a small number. What follows
// reads those without a decoder, which takes memory for each value. All others
// are left to encoding/json.

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
