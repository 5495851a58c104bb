package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// modules are the other modules with benchmarks that compare by themselves, and
// report a metric "ratio": those named BenchmarkPaired…. One that is not there
// yet is left out.
var modules = []struct {
	dir, pkg string
	goals    map[string]float64 // by the beginning of a benchmark's name and metric
}{
	{"..", "./tokensource", map[string]float64{"BenchmarkPairedRecord": 0.5}},
	{"../storage/sqlitestore", ".", map[string]float64{"BenchmarkPairedLoad": 1.35, "BenchmarkPairedSave/": 1.10}},
	{"../storage/postgresstore", ".", map[string]float64{"BenchmarkPairedLoad": 1.10, "BenchmarkPairedSave": 1.10}},
	{"../storage/redisstore", ".", map[string]float64{"BenchmarkPaired": 1.15}},
	{"../tokensource/jose", ".", map[string]float64{"BenchmarkPairedProof": 1.3}},
	{"../examples", "./gateway", map[string]float64{"BenchmarkPairedGateway": 1.11}},
}

// moduleTable runs them several times and collects their ratios. Each run opens
// connections of its own: on which processor the server's end of one happens to
// live moves a ratio by more than anything that is measured.
func moduleTable(ctx context.Context) (*table, error) {
	t := &table{title: "**Against the bare driver, the stored record against encoding/json, and the gateway against httputil.ReverseProxy**", head: []string{"", "median ratio", "lowest to highest of 7 runs"}}
	for _, m := range modules {
		if _, err := os.Stat(filepath.Join(m.dir, "go.mod")); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkPaired", "-benchtime=2s", "-count=7", "-timeout=30m", m.pkg) //nolint:gosec // the arguments stand above
		cmd.Dir, cmd.Env = m.dir, append(os.Environ(), "GOWORK=")
		output, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("benchmarks of %s: %w\n%s", m.dir, err, output)
		}
		for _, b := range parseRatios(output) {
			sorted := slices.Sorted(slices.Values(b.ratios))
			t.add(strings.TrimPrefix(m.dir, "../")+" "+b.name, ratio(sorted[len(sorted)/2], moduleGoal(m.goals, b.name)...),
				ratio(sorted[0])+" to "+ratio(sorted[len(sorted)-1]))
		}
	}
	return t, nil
}

// moduleGoal returns the goal of a benchmark, or none.
func moduleGoal(goals map[string]float64, name string) []float64 {
	for prefix, goal := range goals {
		if strings.HasPrefix(name, prefix) {
			return []float64{goal}
		}
	}
	return nil
}

type benchmark struct {
	name   string
	ratios []float64 // one of each run
}

// parseRatios reads the output of go test -bench and returns every metric whose
// unit is, or begins with, "ratio".
func parseRatios(output []byte) []*benchmark {
	var list []*benchmark
	known := map[string]*benchmark{}
	for line := range bytes.Lines(output) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // without the number of processors
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			suffix, ok := strings.CutPrefix(fields[i+1], "ratio")
			if !ok || err != nil {
				continue
			}
			b := known[name+suffix]
			if b == nil {
				b = &benchmark{name: name + suffix}
				known[b.name] = b
				list = append(list, b)
			}
			b.ratios = append(b.ratios, value)
		}
	}
	return list
}
