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
// [Text] prepares text from a server for errors and logs. A server may send
// back what it was sent, whole or in part, in any encoding.
//
// All functions and types are safe for concurrent use. There are no errors.
package redact

import "strings"

// Mark replaces a secret in a text.
const Mark = "REDACTED"

// beyond is how many bytes behind the limit are searched for secrets, so that
// a secret which is cut off there is found.
const beyond = 1 << 10

// Text returns text from outside in a form that is fit for errors and logs:
// printable ASCII only, at most limit bytes and "..." where it was cut, and
// none of secrets in it.
//
// A secret that the text repeats as it is gets replaced. If the text has a part
// of a secret, or one in another case or encoding, all of the text is replaced.
func Text(text string, limit int, secrets ...string) string {
	cut := len(text) > limit+beyond
	if cut {
		text = text[:limit+beyond]
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, Mark)
		}
	}
	if shows(text, secrets) {
		return Mark
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, text)
	if cut || len(text) > limit {
		return text[:min(limit, len(text))] + "..."
	}
	return text
}
