package redact

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"regexp"
	"strconv"
	"strings"
)

// window is how many bytes of a secret in a text count as the secret. Where
// only letters and digits are compared, more are needed: "the refresh token is"
// would otherwise show the secret "my-refresh-token".
const (
	window     = 8
	bareWindow = 16
)

// shows reports whether text has a part of a secret, in any case or encoding.
func shows(text string, secrets []string) bool {
	if len(secrets) == 0 || text == "" {
		return false
	}
	readings := map[string]bool{}
	read(text, 2, readings)
	parts, bare := map[string]bool{}, map[string]bool{}
	for reading := range readings {
		addParts(parts, strings.ToLower(reading), window)
		addParts(bare, compact(reading), bareWindow)
	}
	for _, s := range secrets {
		if s == "" {
			continue
		}
		if len(s) < window {
			for reading := range readings {
				if strings.Contains(strings.ToLower(reading), strings.ToLower(s)) {
					return true
				}
			}
			continue
		}
		if hasPart(parts, strings.ToLower(s), window) || hasPart(bare, compact(s), bareWindow) {
			return true
		}
	}
	return false
}

func addParts(parts map[string]bool, text string, size int) {
	for i := 0; i+size <= len(text); i++ {
		parts[text[i:i+size]] = true
	}
}

func hasPart(parts map[string]bool, secret string, size int) bool {
	for i := 0; i+size <= len(secret); i++ {
		if parts[secret[i:i+size]] {
			return true
		}
	}
	return false
}

// compact leaves letters and digits only, in lower case. So separators between
// the characters of a secret do not hide it.
func compact(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, s)
}

var (
	hexRun    = regexp.MustCompile(`(?:[0-9a-fA-F]{2}(?:, ?0x|[ :.,-]|\\x|%)?){4,}`)
	base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)
	base32Run = regexp.MustCompile(`[A-Za-z2-7]{8,}`)
	escape    = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|U\+[0-9a-fA-F]{4} ?|\\x[0-9a-fA-F]{2}|\\[0-7]{3}|\\.`)
	decimals  = regexp.MustCompile(`(?:[0-9]{1,3}[ ,;]+){3,}[0-9]{1,3}`)
	percent   = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
)

// read adds text to readings, and what it means in each encoding. An encoding
// may be inside another one, as many times as depth says.
func read(text string, depth int, readings map[string]bool) {
	if readings[text] {
		return
	}
	readings[text] = true
	if depth == 0 {
		return
	}
	for _, reading := range decoded(text) {
		read(reading, depth-1, readings)
	}
}

// decoded returns what text means in each encoding.
func decoded(text string) []string {
	unescaped := percent.ReplaceAllStringFunc(text, func(s string) string { return fromHex(s[1:]) })
	list := []string{
		unescaped,
		strings.ReplaceAll(unescaped, "+", " "),
		percent.ReplaceAllStringFunc(strings.ReplaceAll(text, "+", " "), func(s string) string { return fromHex(s[1:]) }),
		html.UnescapeString(text),
		escape.ReplaceAllStringFunc(text, unquote),
	}
	for _, run := range hexRun.FindAllString(text, -1) {
		digits := strings.NewReplacer("0x", "", " ", "", ":", "", ".", "", ",", "", "-", "", `\x`, "", "%", "").Replace(run)
		list = append(list, fromHex(digits), fromHex(digits[1:]))
	}
	for _, run := range decimals.FindAllString(text, -1) { // as Go prints bytes
		list = append(list, fromDecimals(run))
	}
	for _, run := range base64Run.FindAllString(text, -1) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
		for skip := range 4 { // nobody knows where the encoding begins
			list = append(list, inWhole(run[skip:], 4, base64.RawStdEncoding.DecodeString))
		}
	}
	for _, run := range base32Run.FindAllString(text, -1) {
		list = append(list, inWhole(strings.ToUpper(run), 8, base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString))
	}
	return list
}

// inWhole decodes as many whole groups as there are, and the rest if it can be
// decoded too.
func inWhole(s string, group int, decode func(string) ([]byte, error)) string {
	if b, err := decode(s); err == nil {
		return string(b)
	}
	b, _ := decode(s[:len(s)/group*group])
	return string(b)
}

func fromHex(digits string) string {
	b, _ := hex.DecodeString(digits[:len(digits)/2*2])
	return string(b)
}

func fromDecimals(run string) string {
	var b []byte
	for number := range strings.FieldsFuncSeq(run, func(r rune) bool { return r < '0' || r > '9' }) {
		code, _ := strconv.ParseUint(number, 10, 8)
		b = append(b, byte(code))
	}
	return string(b)
}

// unquote returns the character of an escape sequence.
func unquote(s string) string {
	digits, base := strings.Trim(s[1:], "ux{}+ "), 16
	if s[1] >= '0' && s[1] <= '7' {
		base = 8
	}
	if len(s) > 2 {
		code, err := strconv.ParseUint(digits, base, 32)
		if err == nil {
			return string(rune(code))
		}
	}
	return s[1:]
}
