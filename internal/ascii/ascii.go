// Package ascii checks the characters of credentials and identifiers.
package ascii

// Visible reports whether s consists of visible ASCII characters only. A space
// or a control character makes it false. The empty string is visible.
func Visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
