// Package redact keeps secrets out of everything that is printed.
package redact

import (
	"fmt"
	"io"
	"strings"
)

// Mark stands where a secret stood.
const Mark = "REDACTED"

// Write prints text for every verb and flag. A type that holds a secret calls it from its Format method: fmt then never
// looks at the type's fields, not even for %d or %#v.
func Write(f fmt.State, text string) {
	_, _ = io.WriteString(f, text) // fmt.State keeps no error to report
}

// Secret returns Mark if a secret is set, and an empty string if there is none: whether there is one may be said.
func Secret(value string) string {
	if value == "" {
		return ""
	}
	return Mark
}

// Text makes text from outside fit for errors and logs: printable ASCII only, at most limit bytes, and none of the
// given secrets in it.
func Text(text string, limit int, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, Mark)
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, text)
	if len(text) > limit {
		return text[:limit] + "..."
	}
	return text
}
