package whois_test

import (
	"net/url"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/whois"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestRequest(t *testing.T) {
	p := &provider.Provider{
		AuthorizationURL: "https://as.example/authorize?acr_values=gold", AuthorizationParams: url.Values{"acr_values": {"silver"}, "max_age": {"60"}},
	}
	plain := &provider.Provider{AuthorizationURL: "https://as.example/authorize"}
	for name, tt := range map[string]struct {
		p      *provider.Provider
		params url.Values
		acr    []string
		age    time.Duration // negative: none
		fails  bool
	}{
		"nothing":                         {plain, nil, nil, -1, false},
		"empty values":                    {plain, url.Values{"acr_values": {""}, "max_age": {""}}, nil, -1, false},
		"no values":                       {plain, url.Values{"acr_values": {}, "max_age": nil}, nil, -1, false},
		"spaces":                          {plain, url.Values{"acr_values": {"  "}}, nil, -1, false},
		"values":                          {plain, url.Values{"acr_values": {"a  b"}, "max_age": {"0"}}, []string{"a", "b"}, 0, false},
		"acr_values twice":                {plain, url.Values{"acr_values": {"a", "b"}}, []string{"a", "b"}, -1, false},
		"facts of the provider":           {p, nil, []string{"gold"}, time.Minute, false},
		"empty values beside the facts":   {p, url.Values{"acr_values": {""}, "max_age": {""}}, []string{"gold"}, time.Minute, false},
		"values that replace the facts":   {p, url.Values{"acr_values": {"a"}, "max_age": {"5"}}, []string{"a"}, 5 * time.Second, false},
		"max_age of a text":               {plain, url.Values{"max_age": {"soon"}}, nil, -1, true},
		"max_age twice":                   {plain, url.Values{"max_age": {"1", "2"}}, nil, -1, true},
		"max_age that no number can hold": {plain, url.Values{"max_age": {"99999999999"}}, nil, -1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var after time.Time
			if tt.age >= 0 {
				after = time.Now().Add(-tt.age).UTC()
			}
			got, err := whois.Request(tt.p, tt.params)
			if !reflect.DeepEqual(got, provider.IDTokenRequest{ACR: tt.acr, AuthenticatedAfter: after}) || (err != nil) != tt.fails {
				t.Errorf("Request(%s) = %+v, %v, want %q, %v", name, got, err, tt.acr, after)
			}
		})
	}
}
