package redact_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/redact"
)

func TestTextHidesASecretInEveryEncoding(t *testing.T) {
	const secret = "s3cr/t+Val&e<with~0dd.chars"
	every := func(s, between string) string { return strings.Join(strings.Split(s, ""), between) }
	escaped := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(secret) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"in upper case":               strings.ToUpper(secret),
		"in lower case":               strings.ToLower(secret),
		"a part of it":                secret[3:11],
		"cut off at its end":          secret[:len(secret)-3],
		"as a form":                   url.QueryEscape(secret),
		"as a form, in a form":        url.QueryEscape(url.QueryEscape(secret)),
		"as a path":                   url.PathEscape(secret),
		"each byte percent-encoded":   escaped("%%%02X"),
		"percent-encoded, lower case": escaped("%%%02x"),
		"hex":                         hex.EncodeToString([]byte(secret)),
		"HEX":                         strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"hex behind a digit":          "a" + hex.EncodeToString([]byte(secret)),
		"hex with colons":             strings.TrimSuffix(escaped("%02x:"), ":"),
		"hex with spaces":             strings.TrimSuffix(escaped("%02x "), " "),
		"hex of Go":                   fmt.Sprintf("%#v", []byte(secret)),
		"a part of the hex":           hex.EncodeToString([]byte(secret))[7:31],
		"base64":                      base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64url":                   base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"Basic":                       "Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+secret)),
		"Basic of the form":           "Basic " + base64.StdEncoding.EncodeToString([]byte("ap:"+url.QueryEscape(secret))),
		"a part of Basic":             base64.StdEncoding.EncodeToString([]byte("a:" + secret))[5:30],
		"base64 of base64":            base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(secret)))),
		"base64 in a form":            url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(secret))),
		"base32":                      base32.StdEncoding.EncodeToString([]byte(secret)),
		"HTML":                        html.EscapeString(secret),
		"JSON escapes":                escaped(`\u%04x`),
		"backslash x":                 escaped(`\x%02x`),
		"octal":                       escaped(`\%03o`),
		"escapes with braces":         escaped(`\u{%x}`),
		"code points":                 escaped("U+%04X "),
		"bytes as Go prints them":     fmt.Sprintf("%d", []byte(secret)),
		"bytes with commas":           escaped("%d,"),
		"with spaces between":         every(secret, " "),
		"with dashes between":         every(secret, "-"),
	} {
		for _, around := range []string{"%s", "the request was token=%s&x=1", `got "%s"`} {
			full := fmt.Sprintf(around, text)
			if got := redact.Text(full, 400, "another secret", secret); got != redact.Mark {
				t.Errorf("Text(%s: %q) = %q, want %q", name, full, got, redact.Mark)
			}
		}
	}
}

func TestTextHidesAShortSecretInAnyCase(t *testing.T) {
	for in, want := range map[string]string{
		"the grant is over": "the REDACTED is over", "the Grant is over": redact.Mark, "Z3JhbnQ6Z3JhbnQ": redact.Mark, "67 72 61 6e 74": redact.Mark,
	} {
		if got := redact.Text(in, 100, "grant"); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

// What a server has to say about a request is shown.
func TestTextKeepsWhatIsNoSecret(t *testing.T) {
	secrets := []string{"my-refresh-token", "Basic bXktYXBwOkhVbTlnWXo0M0pfMW1Zcw==", "HUm9gYz43J_1mYs", "rt-1JkL20nMXo_pqRstUvw", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}
	for _, text := range []string{
		"The provided authorization grant is invalid, expired or revoked",
		"AADSTS50173: The provided grant has expired. Trace ID: 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9 Timestamp: 2026-01-01 12:00:00Z",
		"Value passed for the token was invalid.", "The refresh token is invalid.", "bad_refresh_token", "use Basic authentication", "see https://as.example/errors#invalid_grant",
	} {
		if got := redact.Text(text, 200, secrets...); got != text {
			t.Errorf("Text(%q) = %q, want it as it is", text, got)
		}
	}
}

// A secret that begins before the limit is found although it ends behind it.
func TestTextIsSearchedBehindTheLimit(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz"
	if got := redact.Text("0123456789"+strings.ToUpper(secret), 14, secret); got != redact.Mark {
		t.Errorf("Text() = %q, want %q", got, redact.Mark)
	}
	if got := redact.Text(strings.Repeat("x", 1<<20), 3, secret); got != "xxx..." {
		t.Errorf("Text() = %q, want it cut", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a%2", "secret-1234", 10)
	f.Add(`\u12 \x \`, "secret-1234", 100)
	f.Add("0x1, 0x2 AAAA====", "s", 0)
	f.Fuzz(func(t *testing.T, text, secret string, limit int) {
		limit = max(limit, 0) % 1000
		got := redact.Text(text, limit, secret)
		if len(got) > limit+3 && got != redact.Mark {
			t.Errorf("Text(%q, %d) has %d bytes", text, limit, len(got))
		}
		secret = strings.ToLower(secret)
		alone := strings.Trim(secret, "abcdefghijklmnopqrstuvwxyz0123456789") == "" && !strings.Contains(strings.ToLower(redact.Mark), secret)
		if len(secret) >= 8 && alone && strings.Contains(strings.ToLower(got), secret) {
			t.Errorf("Text(%q) = %q: it shows %q", text, got, secret)
		}
	})
}
