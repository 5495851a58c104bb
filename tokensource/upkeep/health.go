package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// ReadyOptions adjusts [Ready]. The zero value is the safe default.
type ReadyOptions struct {
	// MaxFailing is the share of the grants in memory, between 0 and 1, of which
	// the last attempt to refresh may have failed. Above it the process is not
	// ready, unless it has fewer than ten grants in memory. Zero means that they
	// are counted and decide nothing: if the server is down, another process is no
	// better.
	MaxFailing float64

	// NeedServers makes a process that has given up asking its servers not ready:
	// each of them has failed several times in a row.
	NeedServers bool

	// Timeout bounds the question to the store. Zero means 2 seconds.
	Timeout time.Duration

	// KeepFor is how long an answer is given again. Zero means 1 second. So
	// requests, however many, cost the store one read a second.
	KeepFor time.Duration
}

// report is what the handler of [Ready] answers.
type report struct {
	Ready   bool    `json:"ready"`
	Store   bool    `json:"store"`           // it answers
	Servers int     `json:"servers"`         // authorization servers and clients
	Limited int     `json:"servers_limited"` // those that fail, and are asked now and then only
	Grants  int     `json:"grants"`          // in memory
	Failing float64 `json:"failing"`         // the share of these whose last refresh failed
	Unsaved int     `json:"unsaved"`         // grants whose new tokens the store has not taken

	// Upkeep is when the last round of a [Worker] ended, in any process.
	Upkeep time.Time `json:"upkeep,omitzero"`
}

// Ready returns a handler that answers whether this process can serve users:
// 200, or 503 if the store cannot be reached, each with a short JSON object. It
// contains no subject and no secret. It has an answer within Timeout, whatever
// the store does. Nil options mean all defaults. It is safe for concurrent use.
//
// It returns an error without a Keeper, if the Keepers have several stores, and
// if the options make no sense.
func Ready(o *ReadyOptions, keepers ...*grant.Keeper) (http.Handler, error) {
	c, err := newCrew(nil, keepers)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = new(ReadyOptions)
	}
	if o.MaxFailing < 0 || o.MaxFailing > 1 || o.Timeout < 0 || o.KeepFor < 0 {
		return nil, errors.New("upkeep: MaxFailing is between 0 and 1, and Timeout and KeepFor are not negative")
	}
	r := &readiness{crew: c, o: *o, turn: make(chan struct{}, 1)}
	if r.o.Timeout == 0 {
		r.o.Timeout = 2 * time.Second
	}
	if r.o.KeepFor == 0 {
		r.o.KeepFor = time.Second
	}
	return r, nil
}

// Live returns a handler that always answers 200. A process that answers is
// alive: a probe that asked a server would restart every process when that
// server is down.
func Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, http.StatusOK, []byte(`{"live":true}`+"\n"))
	})
}

// readiness is the handler of [Ready].
type readiness struct {
	*crew
	o ReadyOptions

	turn   chan struct{} // holds an element while one request looks, and guards the rest
	at     time.Duration // by the monotonic clock
	status int           // zero if nobody has looked yet
	body   []byte
}

// ServeHTTP answers a request.
func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.turn <- struct{}{}:
	case <-r.Context().Done():
		return // nobody reads the answer
	}
	if now := h.clock.Mono(); h.status == 0 || now-h.at >= h.o.KeepFor {
		h.status, h.body = h.look(context.WithoutCancel(r.Context()))
		h.at = h.clock.Mono()
	}
	status, body := h.status, h.body
	<-h.turn
	answer(w, r, status, body)
}

// look asks the store and the memory of the Keepers. The store gets the name of
// one record, which may not be there.
func (h *readiness) look(ctx context.Context) (status int, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	var s report
	rec, _, err := h.roundRecord(ctx)
	s.Store = err == nil || errors.Is(err, storage.ErrNotFound)
	s.Upkeep = rec.Done
	failing, counted := 0, map[any]bool{}
	for _, k := range h.keepers {
		known, bad, unsaved := inner(k).Condition(counted)
		s.Servers++
		s.Grants, failing, s.Unsaved = s.Grants+known, failing+bad, s.Unsaved+unsaved
		if inner(k).Blocked() {
			s.Limited++
		}
	}
	if s.Grants > 0 {
		s.Failing = float64(min(failing, s.Grants)) / float64(s.Grants)
	}
	const few = 10
	s.Ready = s.Store && (h.o.MaxFailing == 0 || s.Grants < few || s.Failing <= h.o.MaxFailing) && (!h.o.NeedServers || s.Limited < s.Servers)
	body, err = json.Marshal(s)
	if err != nil {
		return http.StatusInternalServerError, nil // cannot happen: the fields are numbers and a time
	}
	if !s.Ready {
		return http.StatusServiceUnavailable, append(body, '\n')
	}
	return http.StatusOK, append(body, '\n')
}

func answer(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", strings.Join([]string{http.MethodGet, http.MethodHead}, ", "))
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
