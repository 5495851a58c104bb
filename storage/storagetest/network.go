package storagetest

import (
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// Kind is a kind of operation of a process.
type Kind string

// The kinds of operations. Notify is the arrival of one change at a Watch that
// runs. The others are calls of methods.
const (
	Get    Kind = "Get"
	Put    Kind = "Put"
	Delete Kind = "Delete"
	Keys   Kind = "Keys"
	Watch  Kind = "Watch"
	Notify Kind = "Notify"
)

// Op is one operation of a process.
type Op struct {
	// Process is the name of the process.
	Process string

	// Kind is what the process does.
	Kind Kind

	// Key is the key of the record. It is empty for Keys, for Watch, and for
	// the Notify of a zero Change.
	Key string

	// N counts, from 1, the operations with the same process, kind and key.
	N int
}

// NetworkOptions are the options of [NewNetwork]. The zero value is a network
// that works.
type NetworkOptions struct {
	// Fault decides what happens to each operation. To repeat a run, it
	// decides by the Op and by the time of a synctest bubble only. For Notify
	// three fields of the Fault count: Delay, Hang (the change is lost) and
	// Err (Watch returns it). The function must be safe for concurrent use.
	// Nil means no faults.
	Fault func(Op) Fault

	// Committed is called after each Put or Delete that succeeded at the
	// store, also if its answer is lost. The Record is what was stored, and
	// zero for a Delete. Calls may overlap. On a [storage.Memory] versions
	// say the order of Puts: each is greater than those before it. Nil means
	// no calls.
	Committed func(Op, storage.Record)
}

// Network connects processes to one store, and fails on demand. All delays are
// timers, so under testing/synctest a run with hours of faults takes
// milliseconds. It is safe for concurrent use.
type Network struct {
	store storage.Store
	o     NetworkOptions
	late  sync.WaitGroup // late effects

	mu       sync.Mutex // guards all below; never held while calling out
	counts   map[Op]int // by an Op without N
	cut      map[string]bool
	watchers map[*inbox]string // and the process of each
}

// NewNetwork returns a network around store. Nil options mean a network that
// works. Put storage.Sealed above [Network.Process], and not below.
func NewNetwork(store storage.Store, o *NetworkOptions) *Network {
	if o == nil {
		o = new(NetworkOptions)
	}
	return &Network{store: store, o: *o, counts: map[Op]int{}, cut: map[string]bool{}, watchers: map[*inbox]string{}}
}

// Process returns the store as the process with this name reaches it. It is a
// [storage.Lister] and a [storage.Watcher] if the store is.
func (n *Network) Process(name string) storage.Store {
	p := &process{n, name}
	l, lists := n.store.(storage.Lister)
	w, watches := n.store.(storage.Watcher)
	switch {
	case lists && watches:
		return &withBoth{p, withKeys{p, l}, withWatch{p, w}}
	case lists:
		return &struct {
			*process
			withKeys
		}{p, withKeys{p, l}}
	case watches:
		return &struct {
			*process
			withWatch
		}{p, withWatch{p, w}}
	}
	return p
}

// Partition cuts a process off. Its requests and answers are lost, so its
// calls return when their ctx ends. Changes are lost too.
func (n *Network) Partition(process string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[process] = true
}

// Heal ends a partition. Each Watch of the process receives a zero Change.
func (n *Network) Heal(process string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.cut[process] {
		return
	}
	delete(n.cut, process)
	for in, name := range n.watchers {
		if name == process {
			in.add(storage.Change{}, 0)
		}
	}
}

// Close waits until all late effects have happened.
func (n *Network) Close() { n.late.Wait() }

// decide counts an operation and returns its fault.
func (n *Network) decide(op Op) (Op, Fault) {
	n.mu.Lock()
	n.counts[op]++
	op.N = n.counts[op]
	n.mu.Unlock()
	if n.o.Fault == nil {
		return op, Fault{}
	}
	return op, n.o.Fault(op)
}

func (n *Network) isCut(process string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[process]
}

// later runs f after a time. Close waits for it.
func (n *Network) later(after time.Duration, f func()) {
	n.late.Go(func() {
		time.Sleep(after)
		f()
	})
}

// commit notifies the observer of a write that succeeded.
func (n *Network) commit(op Op, r storage.Record) {
	if n.o.Committed != nil {
		n.o.Committed(op, r)
	}
}
