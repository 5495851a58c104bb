package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// mass is the section on many grants that expire at once.
func (r *report) mass() error {
	rate := &table{title: "**Grants whose tokens expired within one minute, four processes**", head: []string{
		"", "refreshes of grants", "failed calls", "refreshes per second", "floor", "ratio, and of each turn",
	}}
	cost := &table{title: "**What a call took, and what a refresh cost**", head: []string{
		"", "calls p50", "calls p99, floor", "processor time, floor", "memory of a process, floor",
	}}
	if r.scale.modules {
		output, err := massExpiry(context.Background(), r.size)
		if err != nil {
			return err
		}
		runs, err := parseMass(output)
		if err != nil {
			return err
		}
		for _, cells := range runs {
			rate.add(cells[0], cells[2]+" of "+cells[1], cells[3], cells[4], cells[5], cells[6]+", "+cells[7])
			cost.add(cells[0], cells[8], cells[9]+", "+cells[10], cells[11]+", "+cells[12], cells[13]+", "+cells[14])
		}
	}
	return r.show("mass", rate, cost)
}

// massExpiry runs the test of that name.
func massExpiry(ctx context.Context, size string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^TestG1_ManyGrantsExpireWithinAMinute$", "-count=1", "-timeout=30m", "-v", "./internal/fleet")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOWORK=", "AUTHTRIP_FLEET="+size)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("many grants: %w\n%s", err, output)
	}
	return string(output), nil
}

var massLines = regexp.MustCompile(`: (\w+): (\d+) grants: (\d+) refreshes, (\d+) failed calls; refreshes per second: (\d+), floor (\d+), ratio (\S+) \((\S+ to \S+)\)\n` +
	`.*: calls: p50 (\S+), p99 (\S+), floor p99 (\S+); processor time of a refresh: (\S+), floor (\S+); memory of a process: (\d+ MiB), floor (\d+ MiB)`)

// parseMass returns the cells of a row for each store.
func parseMass(output string) ([][]string, error) {
	var rows [][]string
	for _, m := range massLines.FindAllStringSubmatch(output, -1) {
		cells := m[1:]
		got, err := strconv.ParseFloat(cells[6], 64)
		if err != nil {
			return nil, err
		}
		cells[6] = atLeast(got, 0.80)
		for _, i := range []int{1, 2, 3, 4, 5} {
			n, err := strconv.ParseInt(cells[i], 10, 64)
			if err != nil {
				return nil, err
			}
			cells[i] = thousands(n)
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("the fleet printed nothing about many grants:\n%s", output)
	}
	return rows, nil
}

// atLeast prints a ratio, and what it is to be at least. Bold means that it is
// not met.
func atLeast(got, goal float64) string {
	if got < goal {
		return fmt.Sprintf("**%.2f** (goal %.2f, missed)", got, goal)
	}
	return fmt.Sprintf("%.2f (goal %.2f)", got, goal)
}
