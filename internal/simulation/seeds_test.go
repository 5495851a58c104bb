package simulation_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	budget  = flag.Duration("for", 0, "how long TestSeeds goes on, in real time; zero means until all seeds are done")
	from    = flag.Uint64("from", 1, "the first seed of TestSeeds")
	seeds   = flag.Uint64("seeds", 0, "how many seeds TestSeeds runs; zero means no end if -for is given, and no run otherwise")
	day     = flag.Duration("day", 24*time.Hour, "how long a run of TestSeeds lasts, in simulated time")
	only    = flag.String("profile", "", "the only profile of TestSeeds")
	workers = flag.Int("workers", runtime.NumCPU(), "how many processes TestSeeds starts")
	worker  = flag.Int("worker", -1, "for the processes that TestSeeds starts")
	pass    = flag.Bool("all", false, "TestSeeds goes on after a violation")
)

// silence is how long a process of TestSeeds may print nothing. A run that
// never ends in simulated time looks like that.
const silence = 8 * time.Minute

// TestSeeds runs seeds in all profiles, in one process for each core. Each run
// of a process must be alone in it: its randomness is global.
func TestSeeds(t *testing.T) {
	switch {
	case *budget == 0 && *seeds == 0:
		t.Skip("runs with -for or -seeds only")
	case *worker >= 0:
		runSeeds(t)
		return
	}
	begun := time.Now()
	var total summary
	total.Counts = map[string]int{}
	var mu sync.Mutex // guards total
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var runs atomic.Int64
	go printProgress(ctx, &runs)
	for i := range *workers {
		group.Go(func() {
			s, err := startWorker(ctx, i, &runs)
			mu.Lock()
			defer mu.Unlock()
			total.add(s)
			if err != nil && ctx.Err() == nil {
				t.Errorf("process %d: %v", i, err)
				if !*pass {
					cancel() // one violation is enough
				}
			}
		})
	}
	group.Wait()
	c := newCounts()
	c.addAll(total.Counts)
	t.Logf("%d runs, %.1f simulated days in %v: %d violations; %v",
		total.Runs, total.Days, time.Since(begun).Round(time.Second), total.Violations, c)
	if *only != "" || total.Runs < 2*len(profiles) {
		return
	}
	for _, name := range c.missing(total.Days) {
		t.Errorf("in %.0f simulated days there was none of these: %s", total.Days, name)
	}
}

// printProgress says now and then how many runs have begun.
func printProgress(ctx context.Context, runs *atomic.Int64) {
	begun := time.Now()
	ticker := time.NewTicker(5 * time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Printf("%d runs begun after %v\n", runs.Load(), time.Since(begun).Round(time.Second))
		case <-ctx.Done():
			return
		}
	}
}

// summary is what a process of TestSeeds reports.
type summary struct {
	Runs, Violations int
	Days             float64
	Counts           map[string]int
}

func (s *summary) add(other summary) {
	s.Runs, s.Violations, s.Days = s.Runs+other.Runs, s.Violations+other.Violations, s.Days+other.Days
	for name, n := range other.Counts {
		s.Counts[name] += n
	}
}

// startWorker runs one process of TestSeeds. It prints what the process prints,
// and ends it if it is silent for too long: a loop in simulated time never
// ends.
func startWorker(ctx context.Context, i int, runs *atomic.Int64) (summary, error) {
	var out summary
	args := append(os.Args[1:], fmt.Sprintf("-worker=%d", i), "-test.run=^TestSeeds$", "-test.v=false", "-test.timeout=0")
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return out, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return out, err
	}
	watchdog := time.AfterFunc(silence, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) }) // it prints all goroutines
	defer watchdog.Stop()
	latest := ""
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		watchdog.Reset(silence)
		switch text, isSummary := strings.CutPrefix(line, "summary "); {
		case isSummary:
			if err := json.Unmarshal([]byte(text), &out); err != nil {
				return out, err
			}
		case strings.HasPrefix(line, "run "):
			latest = strings.TrimSpace(line)
			runs.Add(1)
		case line != "":
			fmt.Print(line)
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		return out, fmt.Errorf("%w, in %s", err, latest)
	}
	return out, nil
}

// runSeeds is the work of one process: every seed that is its own, in each
// profile.
func runSeeds(t *testing.T) {
	begun := time.Now()
	spent := func() bool { return *budget > 0 && time.Since(begun) >= *budget }
	out, total := summary{}, newCounts()
	report := func() {
		out.Counts = total.n
		text, err := json.Marshal(out)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(os.Stdout, "summary "+string(text)+"\n")
	}
	defer report()
	for s := *from + uint64(*worker); (*seeds == 0 || s < *from+*seeds) && !spent(); s += uint64(*workers) {
		for i := range profiles {
			p := profiles[(i+int(s*7))%len(profiles)]
			if *only != "" && p.name != *only || spent() {
				continue
			}
			fmt.Printf("run of seed %d in profile %s\n", s, p.name)
			result := simulate(t, p, s, *day, false)
			out.Runs, out.Days = out.Runs+1, out.Days+day.Hours()/24
			total.addAll(result.counts.n)
			if result.first == "" {
				continue
			}
			out.Violations++
			t.Error(result.first)
			fmt.Println(result.first)
			if !*pass {
				return
			}
		}
	}
}
