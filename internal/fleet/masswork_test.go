//go:build linux

package fleet_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// massCallers is how many callers of a process wait at once.
const massCallers = 64

// massWork is what a process does whose callers find many expired tokens.
type massWork struct {
	Server, Store, Keys string
	Process             int
	Floor               bool
}

// massResult is what a process says of one round.
type massResult struct {
	Failed int
	Took   []time.Duration // by each call
	RSS    int             // the most memory that the process had, in bytes
	CPU    time.Duration   // that the process took
}

// keeper opens the engine as a program does: with a sealed store, and without
// the wrappers of the other tests.
func (m massWork) keeper(ctx context.Context) (*grant.Keeper, func() error, error) {
	store, closeStore, err := openStore(ctx, m.Store)
	if err != nil {
		return nil, nil, err
	}
	keys, err := seal.ParseKeys(m.Keys)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := storage.Sealed(store, keys)
	if err != nil {
		return nil, nil, err
	}
	p := provider.X()
	p.Issuer, p.TokenURL, p.RevocationURL, p.InsecureHTTP = "", m.Server+"/token", "", true
	client, err := oauth.New(p, oauth.Registration{
		ClientID: "mass", Credential: oauth.Secret("the-secret-of-the-app-0123456789"), RedirectURL: "https://app.example/callback", Scopes: scopes,
	}, nil)
	if err != nil {
		return nil, nil, err
	}
	k, err := grant.New(client, sealed, nil)
	return k, closeStore, err
}

// caller returns what makes one call.
func (m massWork) caller(ctx context.Context) (func(n int) error, error) {
	if m.Floor {
		return m.floor(ctx)
	}
	k, _, err := m.keeper(ctx)
	if err != nil {
		return nil, err
	}
	return func(n int) error {
		_, err := k.Token(k.WithSubject(ctx, massUser(n)))
		return err
	}, nil
}

// mine reports whether callers come to this process for a grant. The floor has
// no way to refresh once if they come to all, so there they come to one.
func (m massWork) mine(n int) bool {
	return n%massProcesses == m.Process || n%massShared == 0 && !m.Floor
}

// serve obeys orders until its input ends.
func (m massWork) serve(ctx context.Context) error {
	tell := say()
	var call func(n int) error
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		answer := message{ID: o.ID}
		switch o.Do {
		case "open":
			var err error
			call, err = m.caller(ctx)
			answer = answer.with(err)
		case "mass":
			answer.Mass, answer.Text = m.round(call, o.From, o.To)
		}
		tell(answer)
	}
	return nil
}

// round makes the calls for a range of grants. It also returns the text of one
// error.
func (m massWork) round(call func(n int) error, from, to int) (*massResult, string) {
	var list []int
	for n := from; n < to; n++ {
		if m.mine(n) {
			list = append(list, n)
		}
	}
	var mu sync.Mutex // guards r and text
	r, text := new(massResult), ""
	before := processorTime()
	each(massCallers, list, func(n int) {
		begun := time.Now()
		err := call(n)
		took := time.Since(begun)
		mu.Lock()
		defer mu.Unlock()
		r.Took = append(r.Took, took)
		if err != nil {
			r.Failed++
			text = err.Error()
		}
	})
	slices.Sort(r.Took)
	r.RSS, r.CPU = peakMemory(), processorTime()-before
	return r, text
}

// peakMemory returns the most memory that this process has had.
func peakMemory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.Atoi(fields[0])
	return kib << 10
}

// processorTime returns how long processors have worked for this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
