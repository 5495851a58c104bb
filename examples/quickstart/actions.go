package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/authtrip/authtrip/tokensource"
)

// action is what a button does, as the user whom the context names.
type action func(ctx context.Context, r *http.Request) (result, error)

// result is what the page says about the last click.
type result struct {
	Title string
	Text  string
	Body  string // what the API answered, if that is worth a look
	Proof bool   // it shows what the demo is about
	Bad   bool
	At    string // the ID of the pressed button, if the action has several
}

// results keeps the last result of each user. It is safe for concurrent use.
type results struct {
	mu   sync.Mutex // guards last
	last map[string]result
}

func (r *results) set(subject string, last result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]result{}
	}
	r.last[subject] = last
}

func (r *results) of(subject string) result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[subject]
}

// forget drops what was said to a user: after a new login it would no longer be
// true.
func (r *results) forget(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, subject)
}

// button makes a handler of an action. It stands behind login.Require, so that
// the context names the user. The page that follows puts the keyboard's focus
// back on the button with this ID.
func (a *app) button(id string, do action) http.Handler {
	return a.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, _ := a.login.Subject(r)
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		last, err := do(r.Context(), r)
		if errors.Is(err, tokensource.ErrReauthorize) {
			// login.Reauthorize(w, r) would lead to the consent page at once; here the
			// visitor shall see what happened.
			seeOther(w, "/?notice="+ended(err)+"&at=connect")
			return
		}
		if err != nil {
			last = result{Title: "This did not work", Text: err.Error(), Bad: true} // errors of authtrip hold no secret
		}
		a.results.set(subject, last)
		seeOther(w, "/?at="+cmp.Or(last.At, id))
	}))
}

func seeOther(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}
