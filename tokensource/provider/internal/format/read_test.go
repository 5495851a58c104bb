package format_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider/internal/format"
)

// file returns a data file with one entry, in which old is replaced.
func file(old, with string) []byte {
	const entry = `{"providers":[{"name":"a","title":"A","checked":"2026-11-26",
		"vars":{"shop":{"pattern":"[a-z0-9-]+","example":"acme","about":"a shop"}},
		"endpoints":{"authorization":"https://{shop}.example/authorize","token":"https://{shop}.example/token"},
		"sources":[{"for":["endpoints"],"kind":"doc","ref":"https://a.example/docs"}]}]}`
	return []byte(strings.Replace(entry, old, with, 1))
}

func TestRead(t *testing.T) {
	tests := []struct{ name, old, with, want string }{
		{"as it is", "", "", ""},
		{"a schema", `{"providers"`, `{"$schema":"catalogue.schema.json","providers"`, ""},
		{"a member that nobody knows", `"title"`, `"titel":"B","title"`, "titel"},
		{"a member of the file that nobody knows", `{"providers"`, `{"x":1,"providers"`, "x"},
		{"a member of a group that nobody knows", `"token":`, `"tokens":"","token":`, "tokens"},
		{"a member twice", `"title"`, `"title":"B","title"`, "twice"},
		{"an inner member twice", `"token":`, `"token":"","token":`, "twice"},
		{"text behind", `]}]}`, `]}]} x`, "text behind"},
		{"cut short", `]}]}`, `]}`, "EOF"},
		{"no entries", `"name":"a"`, `"name":""`, `"name"`},
		{"a name with spaces", `"name":"a"`, `"name":"a b"`, `"name"`},
		{"no title", `"title":"A"`, `"title":""`, `"title"`},
		{"a date that is none", "2026-11-26", "26.11.2026", `"checked"`},
		{"no date", `"checked":"2026-11-26",`, "", `"checked"`},
		{"a variable without a pattern", `"pattern":"[a-z0-9-]+"`, `"pattern":""`, "pattern"},
		{"a variable with a pattern that is none", `[a-z0-9-]+`, `[`, "pattern"},
		{"a variable whose example does not match", `"acme"`, `"ac.me"`, "example"},
		{"a variable whose default does not match", `"example":"acme"`, `"example":"acme","default":"/"`, "default"},
		{"a variable with a name that is taken", `"shop":{`, `"client_id":{`, "another name"},
		{"a variable that is not used", `"shop":{`, `"shops":{`, "not used"},
		{"a word that nobody knows", `"sources"`, `"client":{"auth":"digest"},"sources"`, "digest"},
		{"a word in a list that nobody knows", `"sources"`, `"refusals":[{"ops":["logout"],"status":400,"fixer":"user"}],"sources"`, "logout"},
		{"a duration that is none", `"sources"`, `"refresh":{"idle":"soon"},"sources"`, `"idle"`},
		{"a negative duration", `"sources"`, `"refresh":{"idle":"-1h"},"sources"`, `"idle"`},
		{"a refusal without a fixer", `"sources"`, `"refusals":[{"status":400}],"sources"`, "refusals"},
		{"a refusal that matches everything", `"sources"`, `"refusals":[{"fixer":"user"}],"sources"`, "refusals"},
		{"an answer without a status", `"sources"`, `"api":{"answers":[{"where":{"a":"b"}}]},"sources"`, "answers"},
		{"an origin of a grant that is not kept", `"sources"`, `"api":{"grant_origins":{"instance_url":["*.a.example"]}},"sources"`, "kept"},
		{"an expiry without a form", `"sources"`, `"token":{"expiry_member":"at"},"sources"`, "belong together"},
		{"a server of the callback without a list", `"sources"`, `"callback":{"token_host":"server"},"sources"`, "belong together"},
		{"a group without a source", `"sources"`, `"grants":{"live":1},"sources"`, "no source"},
		{"a source for nothing", `["endpoints"]`, `["endpoints","grants"]`, "no group"},
		{"a source that is an issue", `"kind":"doc"`, `"kind":"issue"`, "issue"},
		{"a source without an address", `"https://a.example/docs"`, `""`, "sources"},
		{"a source from memory", `"doc"`, `"memory"`, "memory"},
	}
	for _, tt := range tests {
		_, err := format.Read(file(tt.old, tt.with))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Read() = %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, text := range []string{"", "null", "{}", `{"providers":[]}`, "[]"} {
		if _, err := format.Read([]byte(text)); err == nil {
			t.Errorf("Read(%q) = nil, want an error", text)
		}
	}
}

func TestFill(t *testing.T) {
	entries, err := format.Read(file("", ""))
	if err != nil {
		t.Fatal(err)
	}
	e := entries[0]
	for _, shop := range []string{"evil.com/", "evil.com", "a/b", "a?b", "a#b", "a@b", "a:b", "a%2fb", "A", "a b", "a\n", "\na", "acme\"}", "{shop}", "a\\", "\u0430cme"} {
		if _, err := e.Fill(map[string]string{"shop": shop}); err == nil || !strings.Contains(err.Error(), "a shop") {
			t.Errorf("Fill(shop %q) = %v, want an error that says what a shop is", shop, err)
		}
	}
	filled, err := e.Fill(map[string]string{"shop": "acme-2"})
	if err != nil || filled.Endpoints.Token != "https://acme-2.example/token" || filled.Endpoints.Authorization != "https://acme-2.example/authorize" {
		t.Errorf("Fill() = %+v, %v", filled, err)
	}
	if e.Endpoints.Token != "https://{shop}.example/token" {
		t.Errorf("Fill() has changed the entry: %q", e.Endpoints.Token)
	}
	if _, err := e.Fill(map[string]string{"shop": "a", "tenant": "b"}); err == nil || !strings.Contains(err.Error(), "tenant") {
		t.Errorf("Fill() with a variable that is not there = %v", err)
	}
	for _, values := range []map[string]string{nil, {"shop": ""}} {
		if _, err := e.Fill(values); err == nil || !strings.Contains(err.Error(), `"acme"`) {
			t.Errorf("Fill(%v) = %v, want an error with an example", values, err)
		}
	}
}

// FuzzFill fills a place in a host with any text. Whatever is accepted stays in
// that label.
func FuzzFill(f *testing.F) {
	for _, s := range []string{"acme", "evil.com/", "a\"b", "{shop}", "", "\\u002f", "a\x00"} {
		f.Add(s)
	}
	entries, err := format.Read(file("", ""))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, shop string) {
		filled, err := entries[0].Fill(map[string]string{"shop": shop})
		if err == nil && filled.Endpoints.Token != "https://"+shop+".example/token" || err == nil && strings.Trim(shop, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("Fill(%q) = %q", shop, filled.Endpoints.Token)
		}
	})
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"": "0s", "90d": "2160h0m0s", "8h": "8h0m0s", "10m": "10m0s"} {
		if got, err := format.Duration(text); err != nil || got.String() != want {
			t.Errorf("Duration(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"d", "-1d", "1.5d", "99999999d", "1", "0h", "-8h", "8 h", "soon"} {
		if got, err := format.Duration(text); err == nil {
			t.Errorf("Duration(%q) = %v, want an error", text, got)
		}
	}
}
