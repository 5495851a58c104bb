package oidc_test

import (
	"reflect"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestClaims(t *testing.T) {
	s := newServer(t)
	many := object{
		"name": "Alice A", "preferred_username": "alice1", "picture": "https://img.example/a.png", "email": "a@app.example",
		"email_verified": true, "groups": []string{"x", "y"}, "age": 1.5, "realm_access": object{"roles": []string{"admin"}},
		"https://app.example/plan": "gold", "a.b": "with a dot", "null": nil, "sid": "s1",
	}
	for _, tt := range []struct {
		name   string
		claims object
		chosen []string // nil: the default
		want   provider.Identity
		lacks  []string
	}{
		{"the default", many, nil, provider.Identity{
			Name: "Alice A", Username: "alice1", Picture: "https://img.example/a.png",
			Claims: map[string]string{"email": "a@app.example", "email_verified": "true"},
		}, nil},
		{"all kinds of values", many, []string{"groups", "age", "realm_access", "realm_access.roles", "https://app.example/plan", "a.b"}, provider.Identity{
			Name: "Alice A", Username: "alice1", Picture: "https://img.example/a.png",
			Claims: map[string]string{
				"groups": `["x","y"]`, "age": "1.5", "realm_access": `{"roles":["admin"]}`, "realm_access.roles": `["admin"]`,
				"https://app.example/plan": "gold", "a.b": "with a dot",
			},
		}, nil},
		{"none there", nil, []string{"null", "groups", "email.x", "realm_access.other.more"}, provider.Identity{}, []string{"null", "groups", "email.x", "realm_access.other.more", "name"}},
		{"none there, by default", nil, nil, provider.Identity{}, []string{"email", "name"}},
		{"none chosen", many, []string{}, provider.Identity{Name: "Alice A", Username: "alice1", Picture: "https://img.example/a.png"}, nil},
		{"a name in two parts", object{"given_name": "Alice", "family_name": "A"}, []string{}, provider.Identity{Name: "Alice A"}, nil},
		{"a picture that is a script", object{"name": "A", "picture": "javascript:alert(1)"}, []string{}, provider.Identity{Name: "A"}, nil},
		{"a picture that is data", object{"name": "A", "picture": "data:text/html,x"}, []string{}, provider.Identity{Name: "A"}, nil},
		{"a name that is a number", object{"name": 1}, []string{}, provider.Identity{}, []string{"name"}},
	} {
		v := s.verifier(t, &oidc.Options{Claims: tt.chosen})
		got, err := v.VerifyIDToken(t.Context(), s.token(t, tt.claims), login())
		tt.want.Subject = "alice"
		if err != nil || !reflect.DeepEqual(got.User, tt.want) || !reflect.DeepEqual(got.Missing, tt.lacks) {
			t.Errorf("VerifyIDToken(%s) = %+v without %q, %v, want %+v without %q", tt.name, got.User, got.Missing, err, tt.want, tt.lacks)
		}
	}
	got, err := s.verifier(t, nil).VerifyIDToken(t.Context(), s.token(t, many), login())
	if err != nil || got.Session != "s1" {
		t.Errorf("VerifyIDToken(with sid) = session %q, %v, want s1", got.Session, err)
	}
}

func TestParseUserInfo(t *testing.T) {
	for _, tt := range []struct {
		body   string
		chosen []string
		want   provider.Identity
		ok     bool
	}{
		{`{"sub":"1","name":"A","email":"a@b.example"}`, nil, provider.Identity{Subject: "1", Name: "A", Claims: map[string]string{"email": "a@b.example"}}, true},
		{`{"sub":"1","plan":"gold","email":"a@b.example"}`, []string{"plan"}, provider.Identity{Subject: "1", Claims: map[string]string{"plan": "gold"}}, true},
		{`{"SUB":"1"}`, nil, provider.Identity{}, false},
		{`{"sub":1}`, nil, provider.Identity{}, false},
		{`{"sub":""}`, nil, provider.Identity{}, false},
		{`{}`, nil, provider.Identity{}, false},
		{`null`, nil, provider.Identity{}, false},
		{`[]`, nil, provider.Identity{}, false},
		{`<html>`, nil, provider.Identity{}, false},
	} {
		got, err := oidc.ParseUserInfo(tt.chosen...)([]byte(tt.body))
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != tt.ok {
			t.Errorf("ParseUserInfo(%q)(%s) = %+v, %v, want %+v", tt.chosen, tt.body, got, err, tt.want)
		}
	}
}
