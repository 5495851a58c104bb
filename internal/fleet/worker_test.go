//go:build linux

package fleet_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before the test reports that it hangs.
// It is longer than every lease.
const patience = 5 * time.Minute

// running counts the workers that were started and have not ended.
var running atomic.Int64

// worker is a process of a fleet, as the test sees it. It is safe for
// concurrent use.
type worker struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended and all that it said was read
	log   bytes.Buffer  // standard error; complete when ended is closed

	mu      sync.Mutex // guards what follows; held while an order is written
	in      io.WriteCloser
	last    int                  // ID of the last order
	answers map[int]chan message // that are awaited, by order
	heard   []message            // the notifications
	more    chan struct{}        // closed at the next notification
}

// startWorker starts a process. It is killed at the end of the test, or when
// the test's own process ends.
func startWorker(t *testing.T, s setup) *worker {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{t: t, ended: make(chan struct{}), answers: map[int]chan message{}, more: make(chan struct{})}
	w.cmd = exec.Command(os.Args[0])
	w.cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	w.cmd.Stderr = &w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running.Add(1)
	go w.listen(out)
	t.Cleanup(w.end)
	return w
}

// listen reads what the process says until it ends.
func (w *worker) listen(out io.Reader) {
	defer running.Add(-1)
	lines := bufio.NewScanner(out)
	for lines.Buffer(nil, 64<<20); lines.Scan(); {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			w.t.Errorf("a worker said %q", lines.Text())
			continue
		}
		w.hear(m)
	}
	_ = w.cmd.Wait() // wantKilled asks how it ended
	close(w.ended)
}

func (w *worker) hear(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.ID == 0 {
		w.heard = append(w.heard, m)
		close(w.more)
		w.more = make(chan struct{})
		return
	}
	w.answers[m.ID] <- m
	delete(w.answers, m.ID)
}

// begin gives an order, and returns the channel on which its answer arrives.
func (w *worker) begin(o order) chan message {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	o.ID = w.last
	ch := make(chan message, 1)
	w.answers[o.ID] = ch
	line, err := json.Marshal(o)
	if err == nil {
		_, err = w.in.Write(append(line, '\n'))
	}
	if err != nil {
		delete(w.answers, o.ID)
		ch <- message{Kind: otherwise, Text: err.Error()}
	}
	return ch
}

// await returns the answer to an order.
func (w *worker) await(ch chan message) message {
	select {
	case m := <-ch:
		return m
	case <-w.ended:
		return message{Kind: otherwise, Text: "the process has ended"}
	case <-time.After(patience):
		return message{Kind: otherwise, Text: "no answer"}
	}
}

func (w *worker) do(o order) message { return w.await(w.begin(o)) }

func (w *worker) call(subject string) message { return w.do(order{Do: "call", Subject: subject}) }

// final calls for subject until the outcome is one that lasts. That a store or
// a server is too busy is no such outcome.
func (w *worker) final(subject string) message {
	m := w.call(subject)
	for limit := time.Now().Add(patience); m.Kind == temporary && time.Now().Before(limit); m = w.call(subject) {
		<-time.After(250 * time.Millisecond)
	}
	return m
}

// arm makes the work for subject wait at point.
func (w *worker) arm(subject, point string) {
	w.t.Helper()
	w.must(order{Do: "arm", Subject: subject, Point: point})
}

// must gives an order that may not fail.
func (w *worker) must(o order) {
	w.t.Helper()
	if m := w.do(o); m.Kind != worked {
		w.t.Errorf("%s = %s", o.Do, m)
	}
}

// awaitNotice returns when the process has said something that is asked for. It
// returns false, and the test fails, if the process ends first, or answers on
// the channel instead, which may be nil.
func (w *worker) awaitNotice(instead chan message, is func(message) bool) bool {
	w.t.Helper()
	limit := time.After(patience)
	for from := 0; ; {
		w.mu.Lock()
		heard, more := w.heard, w.more
		w.mu.Unlock()
		for ; from < len(heard); from++ {
			if is(heard[from]) {
				return true
			}
		}
		select {
		case <-more:
		case m := <-instead:
			instead <- m // for await
			w.t.Errorf("the process has not said what was awaited, but %s", m)
			return false
		case <-w.ended:
			w.t.Error("the process has ended, and has not said what was awaited")
			return false
		case <-limit:
			w.t.Error("the process has not said what was awaited")
			return false
		}
	}
}

// awaitPoint returns when the work for subject has reached point. The test
// fails if the call under way is answered before.
func (w *worker) awaitPoint(subject, point string, call chan message) {
	w.t.Helper()
	if !w.awaitNotice(call, func(m message) bool { return m.At == point && m.Subject == subject }) {
		w.t.Errorf("user %s: %q was not reached", subject, point)
	}
}

// awaitEvent returns when the engine has had an event for subject.
func (w *worker) awaitEvent(subject, event string) {
	w.t.Helper()
	if !w.awaitNotice(nil, func(m message) bool { return m.Event == event && m.Subject == subject }) {
		w.t.Errorf("user %s: no event %q", subject, event)
	}
}

// notices returns what the process has said without being asked.
func (w *worker) notices() []message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard[:len(w.heard):len(w.heard)]
}

// end kills the process, whatever it does, stopped or not.
func (w *worker) end() {
	_ = w.cmd.Process.Kill() // fails only if it has ended
	<-w.ended
	if text := w.log.String(); w.t.Failed() && text != "" {
		w.t.Logf("standard error of a process: …%s", text[max(0, len(text)-1000):])
	}
}
