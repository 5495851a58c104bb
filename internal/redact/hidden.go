package redact

// Hidden is a text that no output shows: no verb of package fmt, no encoder
// and no logger, also not when they print a struct that contains it. The text
// is in a closure, which none of them can read. The zero Hidden hides the
// empty text.
type Hidden struct{ text func() string }

// Hide returns s as a [Hidden].
func Hide(s string) Hidden {
	return Hidden{func() string { return s }}
}

// Reveal returns the text.
func (h Hidden) Reveal() string {
	if h.text == nil {
		return ""
	}
	return h.text()
}
