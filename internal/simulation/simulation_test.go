package simulation_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

var (
	seed   = flag.Uint64("seed", 1, "the seed of TestSimulation")
	length = flag.Duration("length", 6*time.Hour, "how long a run of TestSimulation lasts, in simulated time")
	follow = flag.String("log", "", `print the lines of this user, or of "all"`)

	budget  = flag.Duration("for", 0, "how long TestSeeds goes on, in real time; zero skips it")
	from    = flag.Uint64("from", 1, "the first seed of TestSeeds")
	seeds   = flag.Uint64("seeds", 1<<32, "how many seeds TestSeeds runs")
	day     = flag.Duration("day", 24*time.Hour, "how long a run of TestSeeds lasts, in simulated time")
	only    = flag.String("profile", "", "the only profile of TestSeeds")
	worker  = flag.Int("worker", -1, "for the processes that TestSeeds starts")
	workers = flag.Int("workers", runtime.NumCPU(), "how many processes TestSeeds starts")
)

// TestSimulation runs one seed in each profile.
func TestSimulation(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			result := simulate(t, p, *seed, *length)
			if result.first != "" {
				t.Error(result.first)
			}
			t.Logf("%+v, log of %d lines, digest %x", result.tally, result.lines, result.digest)
		})
	}
}

// A seed that fails can be looked at only if it fails again.
func TestASeedRepeats(t *testing.T) {
	for _, name := range []string{"calm", "races", "all"} {
		p := profileOf(t, name)
		first := simulate(t, p, *seed, 3*time.Hour)
		if again := simulate(t, p, *seed, 3*time.Hour); again.digest != first.digest || again.lines != first.lines {
			t.Errorf("%s: seed %d gives %d lines with digest %x, and then %d with %x", name, *seed, first.lines, first.digest, again.lines, again.digest)
		}
	}
}

// TestSeeds runs seeds until its time is up, in one process for each core. Each
// run of a process must be alone in it: its randomness is global.
func TestSeeds(t *testing.T) {
	switch {
	case *budget == 0:
		t.Skip("runs with -for only")
	case *worker >= 0:
		runSeeds(t)
		return
	}
	type outcome struct {
		text []byte
		err  error
	}
	outcomes := make([]outcome, *workers)
	done := make(chan int)
	for i := range outcomes {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append(os.Args[1:], fmt.Sprintf("-worker=%d", i), "-test.run=^TestSeeds$", "-test.v=false")...)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		go func() {
			outcomes[i].text, outcomes[i].err = cmd.CombinedOutput()
			done <- i
		}()
	}
	for range outcomes {
		i := <-done
		if outcomes[i].err != nil {
			t.Errorf("process %d: %v\n%s", i, outcomes[i].err, outcomes[i].text)
		}
		t.Logf("process %d: %s", i, lastLine(string(outcomes[i].text)))
	}
}

func lastLine(text string) string {
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if strings.HasPrefix(line, "simulated ") {
			return line
		}
	}
	return "nothing"
}

// runSeeds is the work of one process: every seed that is its own, in each
// profile.
func runSeeds(t *testing.T) {
	begun, total := time.Now(), tally{}
	runs, simulated := 0, time.Duration(0)
	for s := *from + uint64(*worker); s < *from+*seeds && time.Since(begun) < *budget; s += uint64(*workers) {
		for i := range profiles {
			p := profiles[(i+int(s))%len(profiles)]
			if *only != "" && p.name != *only || time.Since(begun) >= *budget {
				continue
			}
			result := simulate(t, p, s, *day)
			runs, simulated = runs+1, simulated+*day
			total.add(result.tally)
			if result.first != "" {
				t.Error(result.first)
				fmt.Printf("simulated seed %d, profile %s: violation\n", s, p.name)
				return
			}
		}
	}
	fmt.Printf("simulated %.1f days in %d runs and %v: %+v\n", simulated.Hours()/24, runs, time.Since(begun).Round(time.Second), total)
}

func (a *tally) add(b tally) {
	a.calls, a.failed, a.second401 = a.calls+b.calls, a.failed+b.failed, a.second401+b.second401
	a.refreshes, a.redeemed, a.commits = a.refreshes+b.refreshes, a.redeemed+b.redeemed, a.commits+b.commits
	a.logins, a.logouts, a.resent, a.crashes = a.logins+b.logins, a.logouts+b.logouts, a.resent+b.resent, a.crashes+b.crashes
	a.diedRefused, a.diedInDoubt = a.diedRefused+b.diedRefused, a.diedInDoubt+b.diedInDoubt
}

// result is what a run has shown.
type result struct {
	first  string // the first violation; empty if there is none
	digest uint64
	lines  int
	tally  tally
}

// simulate lives one run in a bubble.
func simulate(t *testing.T, p profile, seed uint64, length time.Duration) result {
	t.Helper()
	var out result
	name := fmt.Sprintf("seed %d", seed)
	t.Run(name, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		synctest.Test(t, func(t *testing.T) {
			r := newRun(t, p, seed, length)
			r.live()
			out = result{r.judge.first, r.judge.log.digest, r.judge.log.count, r.judge.tally}
		})
	})
	return out
}

func profileOf(t *testing.T, name string) profile {
	t.Helper()
	for _, p := range profiles {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no profile %q", name)
	return profile{}
}
