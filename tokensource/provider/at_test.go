package provider_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestInsecureAtMovesEveryEndpointOfEachEntry: nothing of a program that talks
// to a fake may reach the real server.
func TestInsecureAtMovesEveryEndpointOfEachEntry(t *testing.T) {
	const base = "http://127.0.0.1:9999"
	for _, name := range provider.Names() {
		p, err := provider.Get(name)
		if err != nil {
			continue // it has parameters
		}
		before := len(p.APIOrigins)
		at := p.InsecureAt(base + "/")
		if err := at.Validate(); err != nil {
			t.Errorf("%s.InsecureAt(%q).Validate() = %v, want nil", name, base, err)
		}
		list := append(at.Endpoints(), at.AuthorizationURL, at.IdentityURL, at.EndSessionURL)
		for _, endpoint := range append(list, at.APIOrigins...) {
			if endpoint != "" && !strings.HasPrefix(endpoint, base) {
				t.Errorf("%s.InsecureAt(%q) has %s, want it there", name, base, endpoint)
			}
		}
		if len(p.APIOrigins) != before || strings.HasPrefix(p.TokenURL, base) {
			t.Errorf("%s.InsecureAt(%q) has changed its receiver", name, base)
		}
	}
}

// TestInsecureAtMovesEveryFieldThatIsAURL finds the fields by their names, so
// that a new one is not forgotten. MetadataURL says where facts were read, and
// nobody asks there again.
func TestInsecureAtMovesEveryFieldThatIsAURL(t *testing.T) {
	var p provider.Provider
	n := eachURL(reflect.ValueOf(&p).Elem(), func(name string, field reflect.Value) { field.SetString("https://real.example/" + name) })
	at := p.InsecureAt("http://127.0.0.1:9999")
	eachURL(reflect.ValueOf(at).Elem(), func(name string, field reflect.Value) {
		if want := "http://127.0.0.1:9999/" + name; field.String() != want && name != "MetadataURL" {
			t.Errorf("InsecureAt has %s = %s, want %s", name, field, want)
		}
	})
	if n < 15 {
		t.Errorf("only %d fields of a Provider are URLs, want 15 or more", n)
	}
}

// eachURL calls f with each text in a struct whose name ends in URL.
func eachURL(v reflect.Value, f func(name string, field reflect.Value)) (n int) {
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch {
		case field.Kind() == reflect.Struct:
			n += eachURL(field, f)
		case field.Kind() == reflect.String && strings.HasSuffix(name, "URL"):
			f(name, field)
			n++
		}
	}
	return n
}

func TestInsecureAtKeepsPathAndQuery(t *testing.T) {
	p := provider.X()
	at := p.InsecureAt("http://127.0.0.1:9999")
	if want := strings.Replace(p.IdentityURL, "https://api.x.com", "http://127.0.0.1:9999", 1); at.IdentityURL != want || !strings.Contains(want, "?") {
		t.Errorf("InsecureAt().IdentityURL = %s, want %s", at.IdentityURL, want)
	}
}

func TestInsecureAtABaseThatIsRefused(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:9999", "http://fake.example", "ftp://127.0.0.1", "http://user@127.0.0.1:9999"} {
		if err := provider.X().InsecureAt(base).Validate(); err == nil {
			t.Errorf("InsecureAt(%q).Validate() = nil, want an error", base)
		}
	}
}
