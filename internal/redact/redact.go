// Package redact keeps secrets out of everything that is printed.
//
// # By construction
//
// A value that must hold a secret holds it as a [Hidden]. Nothing can print
// that, so no type needs a method that hides its fields. Such a method would
// not be enough: package fmt does not call it for a value in an unexported
// field, and encoders do not know it.
//
// # Text from outside
//
// [Text] prepares text from a server for errors and logs.
//
// All functions and types are safe for concurrent use. There are no errors.
package redact

import "strings"

// Mark replaces a secret in a text.
const Mark = "REDACTED"

// Text returns text from outside in a form that is fit for errors and logs:
// printable ASCII only, at most limit bytes and "..." where it was cut, and
// none of secrets in it.
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
