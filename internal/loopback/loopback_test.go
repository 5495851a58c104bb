package loopback_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/loopback"
)

func TestHost(t *testing.T) {
	tests := []struct {
		host string
		want bool
	}{
		{"localhost", true}, {"127.0.0.1", true}, {"127.255.255.254", true}, {"::1", true}, {"::ffff:127.0.0.1", true},
		{"", false}, {"0.0.0.0", false}, {"::", false}, {"10.0.0.1", false}, {"169.254.169.254", false}, {"128.0.0.1", false},
		{"localhost.example", false}, {"127.0.0.1.example", false}, {"LOCALHOST.", false}, {"127.1", false}, {"0x7f.0.0.1", false},
		{"2130706433", false}, {"127.0.0.1:80", false}, {"[::1]", false}, {"api.x.com", false},
	}
	for _, tt := range tests {
		if got := loopback.Host(tt.host); got != tt.want {
			t.Errorf("Host(%q) = %v, want %v", tt.host, got, tt.want)
		}
	}
}

func TestSite(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "app.localhost": true, "a.b.localhost": true, "App.LocalHost": true, "127.0.0.1": true, "::1": true,
		"applocalhost": false, "localhost.example": false, "app.localhost.example": false, "": false, "10.0.0.1": false,
	} {
		if got := loopback.Site(host); got != want {
			t.Errorf("Site(%q) = %v, want %v", host, got, want)
		}
	}
	for _, host := range []string{"app.localhost", ".localhost"} {
		if loopback.Host(host) {
			t.Errorf("Host(%q) = true: the resolver of the machine may send it elsewhere", host)
		}
	}
	if !loopback.Host("LOCALHOST") {
		t.Error("Host(LOCALHOST) = false")
	}
}
