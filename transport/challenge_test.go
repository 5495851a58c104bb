package transport_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/transport"
)

func TestChallenges(t *testing.T) {
	type params = map[string]string
	one := func(scheme, token68 string, p params) []transport.Challenge {
		if p == nil {
			p = params{}
		}
		return []transport.Challenge{{Scheme: scheme, Token68: token68, Params: p}}
	}
	join := func(lists ...[]transport.Challenge) (all []transport.Challenge) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	tests := []struct {
		in   []string
		want []transport.Challenge
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{" , ,, "}, nil},
		{[]string{"Bearer"}, one("Bearer", "", nil)},
		{[]string{"  bearer  "}, one("bearer", "", nil)},
		{[]string{`Bearer realm="x"`}, one("Bearer", "", params{"realm": "x"})},
		{[]string{`Bearer realm=x`}, one("Bearer", "", params{"realm": "x"})},
		{[]string{`Bearer REALM = "x" , Error = invalid_token`}, one("Bearer", "", params{"realm": "x", "error": "invalid_token"})},
		{[]string{`Bearer error="a",error_description="b, c=\"d\" \\ é"`}, one("Bearer", "", params{"error": "a", "error_description": `b, c="d" \ é`})},
		{[]string{`Bearer realm="x",error="request_unauthorized",error_description="y"`},
			one("Bearer", "", params{"realm": "x", "error": "request_unauthorized", "error_description": "y"})},
		{[]string{`Bearer error="first", error="second"`}, one("Bearer", "", params{"error": "first"})},
		{[]string{`Bearer realm=""`}, one("Bearer", "", params{"realm": ""})},
		{[]string{"Bearer , realm=x"}, one("Bearer", "", params{"realm": "x"})},
		{[]string{"Bearer\trealm=x"}, one("Bearer", "", params{"realm": "x"})},
		{[]string{"Negotiate abc+/-._~=="}, one("Negotiate", "abc+/-._~==", nil)},
		{[]string{"Negotiate"}, one("Negotiate", "", nil)},
		{[]string{"Negotiate abc==, Bearer error=x"}, join(one("Negotiate", "abc==", nil), one("Bearer", "", params{"error": "x"}))},
		{[]string{"Negotiate, Bearer error=x"}, join(one("Negotiate", "", nil), one("Bearer", "", params{"error": "x"}))},
		{[]string{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`},
			join(one("Newauth", "", params{"realm": "apps", "type": "1", "title": `Login to "apps"`}), one("Basic", "", params{"realm": "simple"}))},
		{[]string{`Bearer realm="a"`, `DPoP algs="ES256 RS256"`}, join(one("Bearer", "", params{"realm": "a"}), one("DPoP", "", params{"algs": "ES256 RS256"}))},
		{[]string{`DPoP error="invalid_token", Bearer`}, join(one("DPoP", "", params{"error": "invalid_token"}), one("Bearer", "", nil))},
		// What breaks the grammar is skipped, and what follows is read.
		{[]string{`error="x"`}, nil},
		{[]string{`error="x", Bearer`}, one("Bearer", "", nil)},
		{[]string{`Bearer error="never ends, error=y`}, one("Bearer", "", params{"error": "never ends, error=y"})},
		{[]string{`Bearer error="ends in \`}, one("Bearer", "", params{"error": `ends in \`})},
		{[]string{`Bearer error_description=not quoted at all, error=x`}, one("Bearer", "", params{"error_description": "not", "error": "x"})},
		{[]string{`Bearer error="x"y, scope=z`}, one("Bearer", "", params{"error": "x", "scope": "z"})},
		{[]string{`Bearer"glued", Basic`}, join(one("Bearer", "", nil), one("Basic", "", nil))},
		{[]string{`"quoted, Bearer", Basic`}, one("Basic", "", nil)},
		{[]string{`Bearer @@@, error=x`}, one("Bearer", "", params{"error": "x"})},
		{[]string{`=, ;, Bearer`}, one("Bearer", "", nil)},
		{[]string{`Bearer error=, scope=x`}, one("Bearer", "error=", params{"scope": "x"})},
	}
	for _, test := range tests {
		if got := transport.Challenges(http.Header{"Www-Authenticate": test.in}); !reflect.DeepEqual(got, test.want) {
			t.Errorf("Challenges(%q) = %+v, want %+v", test.in, got, test.want)
		}
	}
}

// FuzzChallenges checks that no input breaks the parser, and that what it
// finds stands in the input.
func FuzzChallenges(f *testing.F) {
	for _, seed := range []string{
		"", "Bearer", `Bearer error="insufficient_scope"`, `Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`,
		"Negotiate abc==, Bearer error=x", `Bearer error="never ends, error=y`, "=,\",\\", `Bearer a = b , c="\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, c := range transport.Challenges(http.Header{"Www-Authenticate": {in}}) {
			if c.Scheme == "" || c.Params == nil || !strings.Contains(in, c.Scheme) || !strings.Contains(in, c.Token68) {
				t.Errorf("Challenges(%q) has %+v, want names that stand in the input", in, c)
			}
			for name, value := range c.Params {
				if name == "" || name != strings.ToLower(name) || len(value) > len(in) {
					t.Errorf("Challenges(%q) has parameter %q = %q", in, name, value)
				}
			}
			transport.RejectedOn(401)(&http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {in}}})
		}
	})
}
