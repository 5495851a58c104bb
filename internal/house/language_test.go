package house_test

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// words are metaphors, and idioms that a reader of English as a second language
// has to guess. Behind each stands what to write.
var words = []struct {
	found   *regexp.Regexp
	instead string
}{
	{word(`suspect(s|ed|ing)?`), "say that it must be read again"},
	{word(`bur(y|ies|ied|ial|ying)`), "end, or mark as dead"},
	{word(`condemn(s|ed|ing)?`), "end, or queue for revocation"},
	{word(`lots?`), "jitter, or many"},
	{word(`news`), "a notification, or a change"},
	{word(`told of|hears? of|heard of`), "is notified of"},
	{word(`tells? of`), "reports"},
	{word(`leads? (the|a) (flight|renewal|refresh)`), "runs"},
	{word(`lets? go|letting go`), "release"},
	{word(`takes? back|taken back|took back`), "withdraw, or undo"},
	{word(`anew`), "again"},
	{word(`sees? to it`), "make sure"},
	{word(`whoever`), "name the process, the caller or the thing"},
	{regexp.MustCompile(`(?i)([,;:.] |^// ?|\bor |\band )else\b`), "otherwise"},
}

func word(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(` + pattern + `)\b`)
}

// TestLanguage looks at every comment: at the length of its lines and at its
// words. It includes the modules that are not part of the workspace.
func TestLanguage(t *testing.T) {
	var names []string
	for _, p := range list(t, "linux", "work") {
		files, err := filepath.Glob(filepath.Join(root, p.short(), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, files...)
	}
	for _, dir := range []string{"bench", ".ci"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, _ fs.DirEntry, err error) error {
			if filepath.Ext(name) == ".go" {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range languageFaults(source) {
			t.Errorf("%s:%s", name, fault)
		}
	}
}

// languageFaults returns what is wrong with the comments of a file, with the
// number of the line.
func languageFaults(source []byte) (faults []string) {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return faults
		}
		if tok != token.COMMENT || directive.MatchString(text) {
			continue
		}
		first := file.Line(pos)
		for i, line := range strings.Split(text, "\n") {
			for _, fault := range lineFaults(line) {
				faults = append(faults, fmt.Sprintf("%d: %s", first+i, fault))
			}
		}
	}
}

var (
	directive = regexp.MustCompile(`^//(go:|nolint|line |export |\+build)`)
	link      = regexp.MustCompile(`^//\s*\[[^\]]*\]: \S+$`) // it cannot be wrapped
	quoted    = regexp.MustCompile("\"[^\"]*\"|`[^`]*`")
)

// lineFaults looks at one line of a comment, without the code or the
// indentation in front of it. Text in quotation marks is not prose.
func lineFaults(line string) (faults []string) {
	const columns = 80
	line = strings.TrimLeft(strings.TrimRight(line, " \t\r"), "\t")
	if n := utf8.RuneCountInString(line); n > columns && !link.MatchString(line) {
		faults = append(faults, fmt.Sprintf("a comment line of %d columns: wrap it at %d", n, columns))
	}
	prose := quoted.ReplaceAllString(line, "")
	for _, w := range words {
		if found := w.found.FindString(prose); found != "" {
			faults = append(faults, fmt.Sprintf("%q: write %s", strings.TrimLeft(found, ",;:. /"), w.instead))
		}
	}
	return faults
}

// TestLanguageFaults makes sure that languageFaults finds what it must, and
// nothing in code.
func TestLanguageFaults(t *testing.T) {
	long := strings.Repeat("x", 78)
	for _, test := range []struct {
		source string
		want   int
	}{
		{"// A comment.", 0},
		{"// " + long[1:], 0},
		{"// " + long, 1},
		{"\t\t// " + long[1:], 0},
		{"var " + long + " int // short", 0},
		{"var x int // " + long, 1},
		{"//nolint:" + long, 0},
		{"// [RFC 7009]: https://" + long, 0},
		{"/* first\n" + long + "xxx\n*/", 1},
		{"// The SUSPECT buries lots of news.", 4},
		{"// A slot, a newsletter, elsewhere.", 0},
		{"// The header \"news\" and `lot`.", 0},
		{"// It is dead, else alive.", 1},
		{"// Else it waits.", 1},
		{"// Nobody else, nowhere else.", 0},
		{"if suspect { news() } else { lot() }", 0},
		{"const s = \"// suspect\"", 0},
	} {
		source := "package p\n\n" + test.source + "\n"
		if got := languageFaults([]byte(source)); len(got) != test.want {
			t.Errorf("languageFaults(%s) = %q, want %d faults", test.source, got, test.want)
		}
	}
}
