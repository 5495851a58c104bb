package registration

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// recordVersion is that of the stored format.
const recordVersion = 1

// maxClients bounds the registrations in one record (G10).
const maxClients = 16

// A record holds the registrations of an app at one authorization server, the
// newest last. It contains secrets: the store seals it.
type record struct {
	Version int      `json:"v"`
	Clients []client `json:"clients,omitempty"`
	Intent  *intent  `json:"intent,omitempty"`
}

// client is one registration. Times are seconds since 1970.
type client struct {
	Of      string `json:"of"` // hash of the metadata
	ID      string `json:"id"`
	Secret  string `json:"secret,omitempty"`
	Method  string `json:"method"`
	Made    int64  `json:"made"`
	Expires int64  `json:"expires,omitempty"` // zero means never
	Used    int64  `json:"used,omitempty"`    // when a grant was last made or refreshed, to a day; zero means never
	Refused bool   `json:"refused,omitempty"` // by the server, after it was registered
}

// intent announces a registration: until when, and by whom.
type intent struct {
	By  string `json:"by"`
	End int64  `json:"end"` // milliseconds since 1970
}

// ErrUnreadable means that a stored registration was written by a newer version
// of this package, or is damaged. Nothing is written over it.
var ErrUnreadable = errors.New("registration: the stored registration cannot be read")

func decode(value []byte) (record, error) {
	var r record
	if json.Unmarshal(value, &r) != nil || r.Version != recordVersion {
		return record{}, ErrUnreadable
	}
	return r, nil
}

func (r record) encode() ([]byte, error) {
	r.Version = recordVersion
	return json.Marshal(r)
}

// margin is how long before the end of a secret the app is registered again.
func (c client) margin() time.Duration {
	life := time.Duration(c.Expires-c.Made) * time.Second
	return min(time.Hour, max(life/10, 0))
}

// good reports whether c can be used for a new login.
func (c client) good(now time.Time) bool {
	return !c.Refused && (c.Expires == 0 || now.Before(time.Unix(c.Expires, 0).Add(-c.margin())))
}

// current returns the newest registration of the given metadata that can be
// used.
func (r record) current(of string, now time.Time) (client, bool) {
	for _, c := range slices.Backward(r.Clients) {
		if c.Of == of && c.good(now) {
			return c, true
		}
	}
	return client{}, false
}

// live reports whether another process registers the app now. An announcement
// that ends much later than a lease from now is of a process whose clock was
// wrong. It could last for days.
func (r record) live(now time.Time) bool {
	if r.Intent == nil {
		return false
	}
	left := time.UnixMilli(r.Intent.End).Sub(now)
	return left > 0 && left <= 2*lease
}

// with returns r with one more registration and without an intent. What is over
// goes. If there are still too many, one that is refused goes first, and
// otherwise the oldest.
func (r record) with(c client) record {
	list := r.kept(c.Of, time.Unix(c.Made, 0))
	for len(list) >= maxClients {
		i := max(slices.IndexFunc(list, func(c client) bool { return c.Refused }), 0)
		list = slices.Delete(list, i, i+1)
	}
	return record{Clients: append(list, c)}
}

// idle returns for how long no grant was made or refreshed with c.
func (c client) idle(now time.Time) time.Duration {
	return now.Sub(time.Unix(max(c.Made, c.Used), 0))
}

// kept returns the registrations that are not over. One that new logins do not
// use is over when no grant was refreshed with it for [Unused].
func (r record) kept(of string, now time.Time) []client {
	current, _ := r.current(of, now)
	return slices.DeleteFunc(slices.Clone(r.Clients), func(c client) bool {
		return c.ID != current.ID && c.idle(now) >= Unused
	})
}

// using returns r with the note that a grant was made or refreshed with a
// registration. It reports whether that is a change: the note is true to a day,
// so that it costs one write a day. A note of the future was made by a process
// whose clock was wrong, and is corrected.
func (r record) using(of, id string, now time.Time) (record, bool) {
	i := slices.IndexFunc(r.Clients, func(c client) bool { return c.ID == id })
	if i < 0 {
		return r, false
	}
	if age := now.Sub(time.Unix(r.Clients[i].Used, 0)); age >= 0 && age < usedAgain {
		return r, false
	}
	r.Clients = slices.Clone(r.Clients)
	r.Clients[i].Used = now.Unix()
	r.Clients = r.kept(of, now)
	return r, true
}

// refusing returns r with a registration marked as refused. It reports whether
// that is a change.
func (r record) refusing(id string) (record, bool) {
	i := slices.IndexFunc(r.Clients, func(c client) bool { return c.ID == id && !c.Refused })
	if i < 0 {
		return r, false
	}
	r.Clients = slices.Clone(r.Clients)
	r.Clients[i].Refused = true
	return r, true
}

// wait returns how long a registration that replaces a refused one has to wait:
// a server that refuses each new client at once gets few of them. A client that
// a grant was made with was not refused at once: the server forgot it, and it
// delays nothing. Neither does a registration of the future, which was made by
// a process whose clock was wrong.
func (r record) wait(of string, now time.Time) time.Duration {
	var last int64
	refused := 0
	for _, c := range r.Clients {
		if c.Of == of && c.Refused && c.Used == 0 && c.Made <= now.Unix() {
			last = max(last, c.Made)
			refused++
		}
	}
	if refused == 0 {
		return 0
	}
	pause := min(replacePause<<min(refused-1, 10), longestPause)
	return max(0, time.Unix(last, 0).Add(pause).Sub(now))
}
