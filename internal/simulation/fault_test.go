package simulation_test

import (
	"errors"
	"strconv"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// period is a time in which faults happen, in one process or in all of them.
type period struct {
	begin, end time.Time
	place      int // -1 means all
	force      float64
}

// makePeriods chooses the periods of faults of a run: one in half an hour, from
// seconds to tens of minutes long.
func (r *run) makePeriods() []period {
	const slot = 30 * time.Minute
	var list []period
	for n := 0; time.Duration(n)*slot < r.length; n++ {
		c := r.chance.of("period").nth(n)
		s := period{place: -1, force: 0.2 + 0.8*c.of("force").float()}
		s.begin = r.start.Add(time.Duration(n)*slot + c.of("begin").between(0, 15*time.Minute))
		length := c.of("length").between(time.Minute, 28*time.Minute)
		if c.of("short").hit(0.4) {
			length /= 15
		}
		s.end = s.begin.Add(length)
		if c.of("one").hit(0.5) {
			s.place = c.of("place").below(5)
		}
		list = append(list, s)
	}
	return list
}

// force returns how strong faults are at the moment, from 0 to 1. In some runs
// they never stop altogether.
func (r *run) force(p *process) float64 {
	now := time.Now()
	if r.profile.faultless() || !now.Before(r.faulty) {
		return 0
	}
	slot := int(now.Sub(r.start) / (30 * time.Minute))
	for _, n := range [...]int{slot - 1, slot} { // the period of the last slot may go on
		if n < 0 || n >= len(r.periods) {
			continue
		}
		s := r.periods[n]
		if !now.Before(s.begin) && now.Before(s.end) && (s.place < 0 || s.place%len(r.births) == p.place) {
			return max(s.force, r.base)
		}
	}
	return r.base
}

var errStore = errors.New("the store has trouble")

// storeFault chooses what happens to an operation of the store.
func (r *run) storeFault(op storagetest.Op) storagetest.Fault {
	p := r.named(op.Process)
	c := p.chance.of(string(op.Kind), op.Key).nth(op.N)
	fault := storagetest.Fault{
		Delay:       c.of("out").between(200*time.Microsecond, 4*time.Millisecond),
		AnswerDelay: c.of("back").between(200*time.Microsecond, 4*time.Millisecond),
	}
	force := r.force(p)
	switch {
	case force == 0:
	case op.Kind == storagetest.Notify:
		if fault.Hang = c.of("deaf").hit(r.profile.deafWatchers * force); fault.Hang {
			r.count("fault notification lost")
		}
	default:
		r.disturb(p, op, &fault, c, force)
	}
	return fault
}

// disturb adds a fault to an operation.
func (r *run) disturb(p *process, op storagetest.Op, fault *storagetest.Fault, c chance, force float64) {
	s := r.profile.store
	name := choose(c.of("fault"), force, odds{"slow", s.slow}, odds{"failed", s.failed}, odds{"hang", s.hang},
		odds{"late", s.late}, odds{"lost ack", s.lostAck}, odds{"conflict", s.conflict}, odds{"mute", s.mute})
	writes := op.Kind == storagetest.Put || op.Kind == storagetest.Delete
	lasts := time.Duration(0)
	switch {
	case name == "":
		return
	case name == "slow":
		lasts = c.of("slow").between(100*time.Millisecond, 4*time.Second)
		if c.of("way").hit(0.5) {
			fault.Delay += lasts
		} else {
			fault.AnswerDelay += lasts // what was read is old when it arrives
		}
	case name == "failed":
		fault.Err = errStore
	case name == "hang":
		fault.Hang, lasts = true, storeTime
	case !writes:
		return
	case name == "late":
		fault.Hang, fault.Late, lasts = true, c.of("late").between(time.Millisecond, 40*time.Second), storeTime
	case name == "lost ack":
		fault.Err, fault.Applied = errStore, true
	case name == "conflict":
		fault.Err = storage.ErrConflict
	case name == "mute": // reads work, and no write is ever acknowledged
		fault.Hang, fault.Applied, lasts = true, true, storeTime
	}
	r.count("fault store " + name)
	p.disturb(troubledKey(op.Key), lasts)
}

// wireFault chooses what happens to a request.
func (r *run) wireFault(p *process, c chance) string {
	force := r.force(p)
	if force == 0 {
		return ""
	}
	w := r.profile.wire
	name := choose(c.of("fault"), force,
		odds{"refused", w.refused}, odds{"lost before", w.lostBefore}, odds{"lost after", w.lostAfter},
		odds{"hang", w.hang}, odds{"late", w.late}, odds{"status", w.status}, odds{"slow", w.slow})
	if name != "" {
		r.count("fault wire " + name)
	}
	return name
}

// secondFault chooses what happens to a request that repeats one whose answer
// was lost. Two faults in a row are rare otherwise.
func (r *run) secondFault(c chance) string {
	if !r.faulting() || !c.of("second").hit(r.profile.again) {
		return ""
	}
	name := []string{"status", "lost before", "lost after"}[c.of("which").below(3)]
	r.count("fault wire " + name)
	return name
}

type odds struct {
	name        string
	probability float64
}

func choose(c chance, force float64, list ...odds) string {
	x := c.float()
	for _, o := range list {
		if x -= o.probability * force; x < 0 {
			return o.name
		}
	}
	return ""
}

// maybeEnd crashes or stops a process at an operation.
func (r *run) maybeEnd(p *process, c chance) {
	force := r.force(p)
	if force == 0 {
		return
	}
	what := choose(c.of("end"), force, odds{"crash", r.profile.crash}, odds{"stop", r.profile.stop}, odds{"suspend", r.profile.suspend})
	rest := time.Until(r.faulty)
	switch what {
	case "crash":
		if !p.crash() {
			return
		}
		r.note(p, "", "crashes")
		r.judge.crashed(p)
		r.later(c.of("restart").between(time.Second, 2*time.Minute), func() { r.startProcess(p.place) })
	case "stop":
		r.note(p, "", "is stopped")
		p.stop(min(rest, c.of("stop").between(time.Second, 2*time.Minute)), false)
	case "suspend":
		r.note(p, "", "is suspended")
		p.stop(min(rest, c.of("suspend").between(time.Second, 20*time.Minute)), true)
	default:
		return
	}
	r.count("fault process " + what)
}

// maybeRace has the user log in or out within moments of a refresh request, or
// cuts the process off from the store at such a moment.
func (r *run) maybeRace(s *send, c chance) {
	if s.user == nil || !r.faulting() {
		return
	}
	when := c.of("when").between(0, 300*time.Millisecond)
	if c.of("race").hit(r.profile.races) {
		r.later(when, func() {
			if c.of("what").hit(0.5) {
				s.user.login(c.of("race login"))
			} else {
				s.user.logout(c.of("race logout"))
			}
		})
	}
	if c.of("cut").hit(r.profile.cuts) {
		r.later(when/3, func() { r.cutOff(s.p, c.of("cut length").between(10*time.Second, 5*time.Minute)) })
	}
}

// cutOff cuts a process off from the store for a while.
func (r *run) cutOff(p *process, d time.Duration) {
	d = min(d, time.Until(r.faulty))
	if d <= 0 || !p.isolate(d) {
		return
	}
	r.count("fault process cut off")
	r.note(p, "", "is cut off from the store for %v", d)
	r.net.Partition(p.name)
	r.later(d, func() {
		r.net.Heal(p.name)
		r.note(p, "", "reaches the store again")
	})
}

// itoa names one of several draws.
func itoa(n int) string { return strconv.Itoa(n) }
