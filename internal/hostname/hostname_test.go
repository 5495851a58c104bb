package hostname_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/hostname"
)

func TestMatches(t *testing.T) {
	patterns := []string{"*.salesforce.com", "www.zohoapis.com"}
	for host, want := range map[string]bool{
		"acme.my.salesforce.com": true, "na1.salesforce.com": true, "NA1.Salesforce.COM": true, "www.zohoapis.com": true,
		"salesforce.com": false, "evilsalesforce.com": false, "salesforce.com.evil.example": false, "a.salesforce.com.": false,
		"x.www.zohoapis.com": false, "zohoapis.com": false, "": false, ".salesforce.com": false, "a..salesforce.com": false,
		"evil.example/.salesforce.com": false, "evil.example@a.salesforce.com": false, "a\u212a.salesforce.com": false,
	} {
		if got := hostname.Matches(host, patterns); got != want {
			t.Errorf("Matches(%q) = %v, want %v", host, got, want)
		}
	}
	if hostname.Matches("a.example", nil) {
		t.Error("Matches with no pattern = true, want false")
	}
}

func TestOrigin(t *testing.T) {
	patterns := []string{"*.salesforce.com"}
	for raw, want := range map[string]string{
		"https://na1.salesforce.com":                   "https://na1.salesforce.com",
		"https://NA1.salesforce.com/services/data?a=b": "https://na1.salesforce.com",
		"https://na1.salesforce.com:443":               "https://na1.salesforce.com",
		"https://na1.salesforce.com:8443":              "",
		"http://na1.salesforce.com":                    "",
		"https://na1.salesforce.com@evil.example":      "",
		"https://user@na1.salesforce.com":              "",
		"https://evil.example/na1.salesforce.com":      "",
		"https://evil.example#.salesforce.com":         "",
		"//na1.salesforce.com":                         "",
		"na1.salesforce.com":                           "",
		"https://[::1]":                                "",
		"":                                             "",
	} {
		if got := hostname.Origin(raw, patterns); got != want {
			t.Errorf("Origin(%q) = %q, want %q", raw, got, want)
		}
	}
}
