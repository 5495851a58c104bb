//go:build linux

package fleet_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// order is a line on the standard input of a worker.
type order struct {
	ID      int
	Do      string // "call", "arm", "release", "count" or "close"; "open" or "mass" for massWork
	Subject string `json:",omitzero"`
	Point   string `json:",omitzero"` // with arm

	From, To int `json:",omitzero"` // with mass: the grants
}

// message is a line on the standard output of a worker: the answer to an order,
// or a notification.
type message struct {
	ID int `json:",omitzero"` // of the order; zero in a notification

	At      string `json:",omitzero"` // notification: a point was reached
	Event   string `json:",omitzero"` // notification: an event of the engine
	Subject string `json:",omitzero"` // of the notification

	Count  int  `json:",omitzero"` // notification: a number that was written
	Unsure bool `json:",omitzero"` // notification: a number may have been written

	Mass *massResult `json:",omitzero"` // of the order "mass"

	Took   time.Duration      `json:",omitzero"` // by a call
	Status int                `json:",omitzero"` // of its last response
	Kind   string             `json:",omitzero"` // of its error; empty if there was none
	Reason tokensource.Reason `json:",omitzero"`
	Text   string             `json:",omitzero"`
}

// The kinds of errors, in message.Kind.
const (
	worked      = ""
	reauthorize = "reauthorize"
	temporary   = "temporary"
	otherwise   = "otherwise"
)

// with returns m with the outcome of a call.
func (m message) with(err error) message {
	switch {
	case err == nil && m.Status != 200 && m.Status != 0:
		m.Kind, m.Text = otherwise, fmt.Sprint("HTTP ", m.Status)
		return m
	case err == nil:
		return m
	case errors.Is(err, tokensource.ErrReauthorize):
		m.Kind = reauthorize
	case errors.Is(err, tokensource.ErrTemporary):
		m.Kind = temporary
	default:
		m.Kind = otherwise
	}
	m.Text = err.Error()
	if e, ok := errors.AsType[*tokensource.Error](err); ok {
		m.Reason = e.Reason
	}
	return m
}

// String returns the outcome of a call.
func (m message) String() string {
	switch {
	case m.Kind == worked:
		return "200"
	case m.Reason != "":
		return fmt.Sprintf("%s (%s): %s", m.Kind, m.Reason, m.Text)
	}
	return m.Kind + ": " + m.Text
}
