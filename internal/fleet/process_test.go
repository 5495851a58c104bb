//go:build unix

package fleet_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// worker is a process of a fleet, as the test sees it. It is safe for concurrent use.
type worker struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended and all it said has been heard
	log   bytes.Buffer  // standard error; complete when ended is closed

	mu      sync.Mutex // guards what follows
	in      io.WriteCloser
	last    int
	waiting map[int]chan message
	heard   []message     // news
	news    chan struct{} // closed at the next news
}

// startWorker starts a process. At the end of the test it is ended, whatever it does.
func startWorker(t *testing.T, s setup) *worker {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{t: t, ended: make(chan struct{}), waiting: map[int]chan message{}, news: make(chan struct{})}
	w.cmd = exec.Command(os.Args[0])
	w.cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	w.cmd.Stderr = &w.log
	w.cmd.SysProcAttr = diesWithUs()
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

// listen hears what the process says until it ends.
func (w *worker) listen(out io.Reader) {
	defer running.Add(-1)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			w.t.Errorf("a worker said %q", lines.Text())
			continue
		}
		w.hear(m)
	}
	_ = w.cmd.Wait() // how it ended is asked by who cares
	close(w.ended)
}

func (w *worker) hear(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.ID == 0 {
		w.heard = append(w.heard, m)
		close(w.news)
		w.news = make(chan struct{})
		return
	}
	w.waiting[m.ID] <- m
	delete(w.waiting, m.ID)
}

// begin gives an order, and returns where its answer will arrive.
func (w *worker) begin(o order) <-chan message {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	o.ID = w.last
	ch := make(chan message, 1)
	w.waiting[o.ID] = ch
	line, err := json.Marshal(o)
	if err == nil {
		_, err = w.in.Write(append(line, '\n'))
	}
	if err != nil {
		delete(w.waiting, o.ID)
		ch <- message{Kind: otherwise, Text: err.Error()}
	}
	return ch
}

// patience is how long anything may take before the test fails: it is longer than every lease.
const patience = 2 * time.Minute

// await returns the answer to an order.
func (w *worker) await(ch <-chan message) message {
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

// arm has something happen when the refresh of subject reaches point.
func (w *worker) arm(subject, point, how string) {
	w.t.Helper()
	if m := w.do(order{Do: "arm", Subject: subject, Point: point, How: how}); m.Kind != worked {
		w.t.Errorf("arm(%s, %s, %s) = %s", subject, point, how, m.Text)
	}
}

// awaitNews returns when the process has said what is, or fails the test.
func (w *worker) awaitNews(is message) bool {
	w.t.Helper()
	limit := time.After(patience)
	for from := 0; ; {
		w.mu.Lock()
		for ; from < len(w.heard); from++ {
			if w.heard[from] == is {
				w.mu.Unlock()
				return true
			}
		}
		news := w.news
		w.mu.Unlock()
		select {
		case <-news:
		case <-w.ended:
			w.t.Errorf("the process has ended without %+v", is)
			return false
		case <-limit:
			w.t.Errorf("the process has not said %+v", is)
			return false
		}
	}
}

// count returns how often the process has told of an event.
func (w *worker) count(event string) (n int) {
	return w.countAll(func(m message) bool { return m.Event == event })
}

// countAll counts the news that are of a kind.
func (w *worker) countAll(is func(message) bool) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.heard {
		if is(m) {
			n++
		}
	}
	return n
}

// wantKilled waits until the process has ended, and fails the test unless a signal has ended it.
func (w *worker) wantKilled() {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.t.Error("the process has not ended")
		return
	}
	if s, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		w.t.Errorf("the process has ended with %v, want killed", w.cmd.ProcessState)
	}
}

// resume continues a stopped process.
func (w *worker) resume() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		w.t.Errorf("SIGCONT: %v", err)
	}
}

// end ends the process, whatever it does, stopped or not.
func (w *worker) end() {
	_ = w.cmd.Process.Kill() // fails only if it has ended
	<-w.ended
	if text := w.log.String(); w.t.Failed() && text != "" {
		w.t.Logf("standard error of a process: …%s", text[max(0, len(text)-1000):])
	}
}
