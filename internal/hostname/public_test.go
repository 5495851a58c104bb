package hostname_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/hostname"
)

func TestPublic(t *testing.T) {
	for host, want := range map[string]bool{
		"mastodon.social": true, "GitLab.Example.COM": true, "a.b.c.example": true, "127.0.0.1.example": true, "xn--bcher-kva.example": true,
		"1.example": true, "a-b.xn--p1ai": true,
		"": false, ".": false, "example": false, "localhost": false, "LOCALHOST": false, "app.localhost": false, "keycloak": false,
		"127.0.0.1": false, "10.0.0.1": false, "169.254.169.254": false, "127.1": false, "2130706433": false, "0x7f.0.0.1": false,
		"0x7f000001": false, "127.0.0.0x1": false, "1.2.3.08": false, "::1": false, "[::1]": false, "fe80::1%eth0": false,
		"gitlab.lan": false, "printer.local": false, "metadata.google.internal": false, "1.0.0.10.in-addr.arpa": false, "nas.home.arpa": false,
		"a.test": false, "a.onion": false, "sso.corp": false, "sso.intranet": false, "a.localdomain": false,
		"a.example.": false, ".a.example": false, "a..example": false, "-a.example": false, "a-.example": false, "a_b.example": false,
		"a.example:80": false, "a.example/b": false, "b@a.example": false, "a.ex ample": false, "\u212a.example": false,
		strings.Repeat("a", 64) + ".example": false, strings.Repeat("a.", 130) + "example": false,
	} {
		if got := hostname.Public(host); got != want {
			t.Errorf("Public(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestLower(t *testing.T) {
	for in, want := range map[string]string{"": "", "A.Example:80": "a.example:80", "\u212a\u00c4Z": "\u212a\u00c4z", "[::FF]": "[::ff]"} {
		if got := hostname.Lower(in); got != want {
			t.Errorf("Lower(%q) = %q, want %q", in, got, want)
		}
	}
}
