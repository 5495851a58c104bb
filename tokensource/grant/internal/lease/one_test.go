package lease_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestExploreOne(t *testing.T) {
	c := config{procs: 2, faults: 0, expiries: 1, resends: 1, progress: true}
	if s := os.Getenv("CFG"); s != "" {
		var fa, e, l, lo, p int
		fmt.Sscan(s, &p, &fa, &e, &l, &lo)
		c.procs, c.faults, c.expiries, c.logins, c.logouts = p, byte(fa), byte(e), byte(l), byte(lo)
		o := os.Getenv("OPT")
		c.single = strings.Contains(o, "single")
		c.grace = strings.Contains(o, "grace")
		c.deaf = strings.Contains(o, "deaf")
		c.empty = strings.Contains(o, "empty")
		c.ahead = strings.Contains(o, "ahead")
		c.revokesAll = strings.Contains(o, "revall")
		c.progress = !strings.Contains(o, "noprog")
		if strings.Contains(o, "never") {
			c.never = true
		}
		if strings.Contains(o, "always") {
			c.resends = 1 << 62
		}
		if strings.Contains(o, "every") {
			c.kinds = everyFault
		}
		fmt.Sscan(os.Getenv("KINDS"), &c.kinds)
		fmt.Sscan(os.Getenv("LIMIT"), &c.limit)
	}
	r := explore(c.filled(), strings.Contains(os.Getenv("OPT"), "first"))
	t.Log(r)
	if len(r.broken) > 0 {
		t.Fail()
	}
}
