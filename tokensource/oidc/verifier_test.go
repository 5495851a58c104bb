package oidc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(*provider.Provider)
		clientID string
		options  *oidc.Options
		want     string
	}{
		{"no keys", func(p *provider.Provider) { p.JWKSURL = "" }, clientID, nil, "JWKSURL"},
		{"keys by http", func(p *provider.Provider) { p.JWKSURL = "http://as.example/keys" }, clientID, nil, "https"},
		{"no issuer", func(p *provider.Provider) { p.Issuer = "" }, clientID, nil, "Issuer"},
		{"no client", func(*provider.Provider) {}, "", nil, "client ID"},
		{"negative skew", func(*provider.Provider) {}, clientID, &oidc.Options{Skew: -1}, "Skew"},
		{"skew of an hour", func(*provider.Provider) {}, clientID, &oidc.Options{Skew: time.Hour}, "Skew"},
		{"alg none", func(*provider.Provider) {}, clientID, &oidc.Options{Algorithms: []string{"ES256", "none"}}, "Algorithms"},
		{"HMAC", func(*provider.Provider) {}, clientID, &oidc.Options{Algorithms: []string{"HS256"}}, "Algorithms"},
	} {
		p := plainProvider()
		tt.change(p)
		if v, err := oidc.New(p, tt.clientID, tt.options); err == nil || v != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%s) = %v, %v, want an error with %q", tt.name, v, err, tt.want)
		}
	}
	if _, err := oidc.New(nil, clientID, nil); err == nil {
		t.Error("New(no provider) = nil, want an error")
	}
}
