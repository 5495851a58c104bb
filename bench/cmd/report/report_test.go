package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The whole program at the smallest scale fills every block of the page, and
// draws every plot that the page shows.
func TestReport(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts thousands of goroutines")
	}
	page, err := os.ReadFile("../../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "performance.md")
	if err := os.WriteFile(name, page, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it replaces what the first has written
		var out bytes.Buffer
		if err := run(&out, "smoke", "", true, dir); err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(written), "<!-- report: ")[1:] {
			content, _, _ := strings.Cut(block, "<!-- end -->")
			isMachine := strings.HasPrefix(content, "machine")
			if !isMachine && !strings.Contains(content, "\n| ") {
				t.Errorf("a block without a table: %q", content)
			}
			if want := " -->\n\nMeasured on " + time.Now().Format("2006"); !isMachine && !strings.Contains(content, want) {
				t.Errorf("a block that does not begin with when it was measured: %.80q", content)
			}
			if !strings.Contains(out.String(), strings.TrimSpace(strings.SplitN(content, "-->", 2)[1])) {
				t.Errorf("what was printed is not what was written: %.40q", content)
			}
		}
	}
	for _, plot := range strings.Split(string(page), "](performance/")[1:] {
		file, _, _ := strings.Cut(plot, ")")
		svg, err := os.ReadFile(filepath.Join(dir, "performance", file))
		if err != nil || !bytes.Contains(svg, []byte("<polyline")) || bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
			t.Errorf("%s: %v, want a plot with lines", file, err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][2]string{{"huge", ""}, {"smoke", "tables"}} {
		if err := run(new(bytes.Buffer), args[0], args[1], false, ""); err == nil {
			t.Errorf("run(%q, %q) = nil, want an error", args[0], args[1])
		}
	}
}

func TestReplaceNeedsTheBlock(t *testing.T) {
	for _, text := range []string{"", "<!-- report: a -->", "<!-- report: b --><!-- end -->"} {
		if err := (&page{text: text}).replace("a", "x"); err == nil {
			t.Errorf("replace in %q = nil, want an error", text)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, test := range []struct {
		got, want string
	}{
		{ratio(0.5), "0.50"},
		{ratio(0.504, 0.5), "0.50 (goal 0.50)"},
		{ratio(0.506, 0.5), "**0.51** (goal 0.50, missed)"},
		{ratio(12.34), "12.3"},
		{nanos(1.66), "1.7 ns"},
		{nanos(1234), "1,234 ns"},
		{nanos(1e7), "10 ms"},
		{thousands(1234567), "1,234,567"},
		{thousands(-100), "-100"},
		{mebibytes(13 << 20), "13.00 MiB"},
		{mebibytes(64<<20, 64), "64.00 MiB (goal 64 MiB)"},
		{mebibytes(65<<20, 64), "**65.00 MiB** (goal 64 MiB, missed)"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestParseRatios(t *testing.T) {
	got := parseRatios([]byte("goos: linux\nBenchmarkPairedRecord-2   100  4717 ns/op  0.07 ratio\nBenchmarkX-2  1  2 ns/op\nBenchmarkPairedRecord-2   90  4717 ns/op  0.08 ratio\nPASS\n"))
	if len(got) != 1 || got[0].name != "BenchmarkPairedRecord" || !slices.Equal(got[0].ratios, []float64{0.07, 0.08}) {
		t.Errorf("parseRatios = %v, want one of 0.07 and 0.08", got)
	}
}

func TestParseFleet(t *testing.T) {
	got, err := parseFleet(`=== RUN   TestG1_FourProcessesRefreshOncePerExpiry/file
    expiry_test.go:52: file: 200 expiries, 4 calls each: 200 refreshes, 0 failed calls, 0 killed families
    expiry_test.go:57: file: slowest of the 4 calls: p50 28.19ms, p99 36.5ms; token endpoint with 20ms latency: p50 20.55ms, p99 21.52ms; one API round trip: p50 480µs
=== RUN   TestG1_FourProcessesRefreshOncePerExpiry/floor
    expiry_test.go:52: floor: 200 expiries, 4 calls each: 200 refreshes, 0 failed calls, 0 killed families
    expiry_test.go:57: floor: slowest of the 4 calls: p50 25.48ms, p99 33.8ms; token endpoint with 20ms latency: p50 20.73ms, p99 21.98ms; one API round trip: p50 400µs
`)
	want := fleetRun{"file", "200", "200", "0", 28190 * time.Microsecond, 36500 * time.Microsecond, 20550 * time.Microsecond}
	if err != nil || len(got) != 2 || got[0] != want {
		t.Fatalf("parseFleet = %v, %v, want two runs, the first %v", got, err, want)
	}
	for i, want := range [][]string{
		{"file", "200 for 200", "0", "28.2 ms", "20.5 ms", "**1.37** (goal 1.25, missed)", "1.11", "36.5 ms"},
		{"floor", "200 for 200", "0", "25.5 ms", "20.7 ms", "1.23", "1.00", "33.8 ms"},
	} {
		if row := got[i].row(got[1]); !slices.Equal(row, want) {
			t.Errorf("row of %s = %q, want %q", got[i].store, row, want)
		}
	}
	if got, err := parseFleet("PASS"); err == nil {
		t.Errorf("parseFleet without a floor = %v, want an error", got)
	}
}

func TestParseMass(t *testing.T) {
	got, err := parseMass(`=== RUN   TestG1_ManyGrantsExpireWithinAMinute/postgres
    mass_test.go:74: postgres: 8000 grants: 8000 refreshes, 0 failed calls; refreshes per second: 854, floor 1141, ratio 0.73 (0.68 to 0.81)
    mass_test.go:77: postgres: calls: p50 267.88ms, p99 398.69ms, floor p99 311.15ms; processor time of a refresh: 1.076ms, floor 622µs; memory of a process: 36 MiB, floor 25 MiB
`)
	want := []string{
		"postgres", "8,000", "8,000", "0", "854", "1,141", "**0.73** (goal 0.80, missed)", "0.68 to 0.81", "267.88ms", "398.69ms", "311.15ms",
		"1.076ms", "622µs", "36 MiB", "25 MiB",
	}
	if err != nil || len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("parseMass = %q, %v, want %q", got, err, want)
	}
	if got, want := atLeast(0.8, 0.8), "0.80 (goal 0.80)"; got != want {
		t.Errorf("atLeast(0.8, 0.8) = %q, want %q", got, want)
	}
	if got, err := parseMass("PASS"); err == nil {
		t.Errorf("parseMass of nothing = %q, want an error", got)
	}
}
