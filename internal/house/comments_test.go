package house_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// headings are those that the comment of a package needs, in this order. Others
// may stand between them.
var headings = []string{"What it is for", "Types", "Example", "Concurrency", "Errors"}

// TestPackageComments looks at each package that users import. Its comment has
// all headings, the code in it names what exists, and there is an Example that
// is compiled.
func TestPackageComments(t *testing.T) {
	var packages []listed
	exports := map[string][]string{} // by the name of the package
	for _, p := range list(t, "linux", "work") {
		if imported(p.short()) {
			packages = append(packages, p)
			exports[path.Base(p.ImportPath)] = exported(t, p)
		}
	}
	for _, p := range packages {
		for _, fault := range commentFaults(comment(t, p), exports) {
			t.Errorf("%s: %s", p.short(), fault)
		}
		if !hasExample(t, p) {
			t.Errorf("%s: no Example", p.short())
		}
	}
}

// imported reports whether users import a package. The root package is a map of
// the others.
func imported(short string) bool {
	first, _, _ := strings.Cut(short, "/")
	return short != "." && first != "cmd" && first != "examples" && !strings.Contains("/"+short+"/", "/internal/")
}

// comment returns the comment of a package.
func comment(t *testing.T, p listed) string {
	t.Helper()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil {
			return file.Doc.Text()
		}
	}
	return ""
}

var selector = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.([A-Z]\w*)`)

// commentFaults returns what is wrong with the comment of a package. Exports
// are the exported names of each package, by its name.
func commentFaults(text string, exports map[string][]string) (faults []string) {
	rest := text
	for _, heading := range headings {
		_, after, ok := strings.Cut(rest, "\n# "+heading+"\n")
		if !ok {
			faults = append(faults, fmt.Sprintf("the package comment has no heading %q behind those before it", heading))
			continue
		}
		if heading == "Example" && !strings.HasPrefix(after, "\n\t") {
			faults = append(faults, "the heading Example has no code")
		}
		rest = after
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") {
			continue
		}
		code, _, _ := strings.Cut(line, " // ")
		for _, m := range selector.FindAllStringSubmatch(code, -1) {
			if names, ok := exports[m[1]]; ok && !slices.Contains(names, m[2]) {
				faults = append(faults, fmt.Sprintf("the code in the package comment names %s, which does not exist", m[0]))
			}
		}
	}
	return faults
}

// hasExample reports whether a package has an Example in a test file.
func hasExample(t *testing.T, p listed) bool {
	t.Helper()
	var files []*ast.File
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return len(doc.Examples(files...)) > 0
}

// TestCommentFaults makes sure that commentFaults finds what it must.
func TestCommentFaults(t *testing.T) {
	const whole = "Package p.\n\n# What it is for\n\nText.\n\n# Types\n\nText.\n\n# Example\n\n\tx, err := q.New()\n\n# Concurrency\n\nText.\n\n# Errors\n\nText.\n"
	exports := map[string][]string{"q": {"New", "T.M"}}
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"a whole comment":                {whole, 0},
		"no comment":                     {"", len(headings)},
		"no heading Errors":              {strings.Replace(whole, "# Errors", "# Failures", 1), 1},
		"Example before Types":           {"\n# What it is for\n\n# Example\n\n\tq.New()\n\n# Types\n\n# Concurrency\n\n# Errors\n", 1},
		"an Example without code":        {strings.Replace(whole, "\tx", "x", 1), 1},
		"code with a name that is gone":  {strings.Replace(whole, "q.New", "q.Make", 1), 1},
		"code with a method":             {strings.Replace(whole, "q.New", "q.M", 1), 1},
		"a package of somebody else":     {strings.Replace(whole, "q.New", "os.Make", 1), 0},
		"a name that is gone, in a note": {strings.Replace(whole, "q.New()", "q.New() // not q.Make", 1), 0},
	} {
		if got := commentFaults(tt.text, exports); len(got) != tt.want {
			t.Errorf("%s: commentFaults = %q, want %d faults", name, got, tt.want)
		}
	}
}

// TestTheMapNamesEveryPackage looks for each package that users import in the
// comment of the root package.
func TestTheMapNamesEveryPackage(t *testing.T) {
	packages := list(t, "linux", "work")
	i := slices.IndexFunc(packages, func(p listed) bool { return p.short() == "." })
	text := comment(t, packages[i])
	for _, p := range packages {
		name := regexp.MustCompile(`\b` + path.Base(p.ImportPath) + `\b`)
		if imported(p.short()) && !name.MatchString(text) {
			t.Errorf("the comment of the root package does not name %s", p.short())
		}
	}
}
