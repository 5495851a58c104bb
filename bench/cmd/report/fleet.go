package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// fleet is the section on processes that share a grant.
func (r *report) fleet() error {
	var list []fmt.Stringer
	for _, place := range []struct{ title, dir string }{
		{"**Slowest of four calls at an expiry, files and databases on this disk**", os.TempDir()},
		{"**The same in memory**", "/dev/shm"}, // Linux
	} {
		t := &table{title: place.title, head: []string{"", "refreshes for expiries", "failed calls", "p50", "p50 of the token endpoint", "÷ token endpoint", "÷ floor", "p99"}}
		list = append(list, t)
		if _, err := os.Stat(place.dir); err != nil || !r.scale.modules {
			continue
		}
		output, err := fourProcesses(context.Background(), place.dir, r.size)
		if err != nil {
			return err
		}
		runs, err := parseFleet(output)
		if err != nil {
			return err
		}
		floor := runs[len(runs)-1]
		for _, f := range runs {
			t.add(f.row(floor)...)
		}
	}
	return r.show("fleet", list...)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// fourProcesses runs the test of that name, with its files in dir.
func fourProcesses(ctx context.Context, dir, size string) (string, error) {
	temp, err := os.MkdirTemp(dir, "fleet")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)                      //nolint:errcheck // a directory of temporary files
	if err := os.Chmod(temp, 0o755); err != nil { //nolint:gosec // the database servers run as other users
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^TestG1_FourProcessesRefreshOncePerExpiry$", "-count=1", "-v", "./internal/fleet")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOWORK=", "AUTHTRIP_FLEET="+size, "TMPDIR="+temp)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("the fleet: %w\n%s", err, output)
	}
	return string(output), nil
}

// fleetRun is what the test prints of a store. The floor comes last.
type fleetRun struct {
	store, expiries, refreshes, failed string
	p50, p99, endpoint                 time.Duration
}

// row returns the cells of a store's row.
func (f fleetRun) row(floor fleetRun) []string {
	return []string{
		f.store, f.refreshes + " for " + f.expiries, f.failed, millis(f.p50), millis(f.endpoint),
		ratio(f.p50.Seconds()/f.endpoint.Seconds(), goalOf(f != floor, 1.25)...), ratio(f.p50.Seconds() / floor.p50.Seconds()), millis(f.p99),
	}
}

var fleetLines = regexp.MustCompile(`: (\w+): (\d+) expiries, 4 calls each: (\d+) refreshes, (\d+) failed calls,.*\n` +
	`.*slowest of the 4 calls: p50 (\S+), p99 (\S+); token endpoint with 20ms latency: p50 (\S+),`)

func parseFleet(output string) ([]fleetRun, error) {
	var runs []fleetRun
	for _, m := range fleetLines.FindAllStringSubmatch(output, -1) {
		f := fleetRun{store: m[1], expiries: m[2], refreshes: m[3], failed: m[4]}
		for i, d := range []*time.Duration{&f.p50, &f.p99, &f.endpoint} {
			var err error
			if *d, err = time.ParseDuration(m[5+i]); err != nil {
				return nil, err
			}
		}
		runs = append(runs, f)
	}
	if len(runs) == 0 || runs[len(runs)-1].store != "floor" {
		return nil, fmt.Errorf("the fleet printed no floor:\n%s", output)
	}
	return runs, nil
}
