package provider_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider/internal/format"
)

var update = flag.Bool("update", false, "write docs/providers.md")

const (
	page   = "../../docs/providers.md"
	marker = "<!-- The rest is made from the data: go test ./tokensource/provider -run Page -update -->\n"
)

// allEntries reads the data of this package.
func allEntries(t *testing.T) []*format.Entry {
	t.Helper()
	text, err := os.ReadFile("catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	list, err := format.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	if byName := func(a, b *format.Entry) int { return strings.Compare(a.Name, b.Name) }; !slices.IsSortedFunc(list, byName) {
		t.Error("the entries do not stand in the order of their names")
	}
	return list
}

func TestPage(t *testing.T) {
	is, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	written, _, ok := strings.Cut(string(is), marker)
	if !ok {
		t.Fatalf("%s has no line %q", page, marker)
	}
	want := written + marker + described(allEntries(t))
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page of the documentation
			t.Fatal(err)
		}
		return
	}
	if string(is) != want {
		t.Errorf("%s is not what the data says: go test ./tokensource/provider -run Page -update", page)
	}
}

// TestChecked lists the entries that nobody has compared with their sources for
// a year. It fails for a date in the future only: time alone breaks no build.
func TestChecked(t *testing.T) {
	for _, e := range allEntries(t) {
		at, err := time.Parse(time.DateOnly, e.Checked)
		if err != nil || at.After(time.Now().AddDate(0, 0, 1)) {
			t.Errorf("%s: checked %q is no day of the past", e.Name, e.Checked)
		}
		if time.Since(at) > 365*24*time.Hour {
			t.Logf("%s was checked more than a year ago, on %s: compare it with its sources", e.Name, e.Checked)
		}
	}
}

// described returns the part of the page that is made from the data.
func described(list []*format.Entry) string {
	var b strings.Builder
	kinds := map[string]int{}
	for _, e := range list {
		for _, s := range e.Sources {
			kinds[s.Kind] += len(s.For)
		}
	}
	fmt.Fprintf(&b, "\n## The %d entries\n\n", len(list))
	fmt.Fprintf(&b, "Groups of facts by kind of source: %d from pages of vendors, %d from copies of such pages, %d from the code of open clients and servers, %d from answers that public issues show.\n\n",
		kinds["doc"], kinds["doc-copy"], kinds["code"], kinds["issue"])
	b.WriteString("| server | call | client | refresh tokens | revocation |\n|---|---|---|---|---|\n")
	for _, e := range list {
		fmt.Fprintf(&b, "| [%s](#%s) | `%s` | %s | %s | %s |\n", e.Title, e.Name, calls(e), client(e), refreshes(e), revokes(e))
	}
	for _, e := range list {
		fmt.Fprintf(&b, "\n### %s\n\n%s. Checked on %s.\n\n", e.Name, e.Title, e.Checked)
		for _, name := range slices.Sorted(mapKeys(e.Vars)) {
			fmt.Fprintf(&b, "- `%s` is %s, such as `%s`.\n", name, e.Vars[name].About, e.Vars[name].Example)
		}
		for _, note := range e.Notes {
			fmt.Fprintf(&b, "- %s\n", note)
		}
		b.WriteString("- Sources: " + strings.Join(sources(e), "; ") + ".\n")
	}
	return b.String()
}

func mapKeys(m map[string]format.Var) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

func calls(e *format.Entry) string {
	return cmp.Or(e.Function, fmt.Sprintf("provider.Get(%q)", e.Name))
}

func client(e *format.Entry) string {
	auth := map[string]string{"post": "secret in the body", "basic_raw": "Basic without encoding"}[e.Client.Auth]
	list := []string{cmp.Or(auth, "Basic")}
	switch e.Client.Public {
	case "yes":
		list = append(list, "public clients")
	case "no":
		list = append(list, "no public clients")
	}
	switch e.Client.PKCE {
	case "none":
		list = append(list, "no PKCE")
	case "s256_hex":
		list = append(list, "PKCE in hex")
	}
	return strings.Join(list, ", ")
}

func refreshes(e *format.Entry) string {
	var list []string
	add := func(condition bool, text string) {
		if condition {
			list = append(list, text)
		}
	}
	r := e.Refresh
	add(r.None && e.Trade.Next.URL == "", "none")
	add(e.Trade.Next.URL != "", "none: access tokens are traded")
	add(e.Authorization.RefreshScope != "", "with scope `"+e.Authorization.RefreshScope+"`")
	add(r.Reusable, "stay good")
	add(r.EndsAccess, "a refresh ends the access token")
	add(r.Grace != "", r.Grace+" of grace")
	add(r.Idle != "", "die after "+r.Idle+" without use")
	add(r.Lifetime != "", "die "+r.Lifetime+" after the login")
	return strings.Join(list, ", ")
}

func revokes(e *format.Entry) string {
	switch r := e.Revocation; {
	case e.Endpoints.Revocation == "":
		return "not known"
	case r.EndsAll:
		return "ends all grants of the user"
	case r.Only != "":
		return "of the " + strings.ReplaceAll(r.Only, "_", " ")
	}
	return "yes"
}

func sources(e *format.Entry) (list []string) {
	for _, s := range e.Sources {
		ref := s.Ref
		if strings.HasPrefix(ref, "https://") && !strings.Contains(ref, " ") {
			ref = "<" + ref + ">"
		}
		text := fmt.Sprintf("%s for %s (%s", ref, strings.Join(s.For, ", "), s.Kind)
		if s.Date != "" {
			text += ", " + s.Date
		}
		list = append(list, text+")")
	}
	return list
}
