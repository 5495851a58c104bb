package middleware

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	sessionPrefix  = "sessions." // of storage keys
	sessionVersion = 1

	// maxSessions is how many sessions a user has. With one more, the session that
	// was used least recently ends.
	maxSessions = 32

	// maxUser is the size of what is kept of the user, in bytes of JSON. The claims
	// of a larger one are left out.
	maxUser = 16 << 10
)

// sessionRecord is the stored record of one subject: all sessions of the user,
// and who the user is (M9, M10). A record that was read is never changed.
type sessionRecord struct {
	Version int               `json:"v"`
	Subject string            `json:"sub"`
	User    provider.Identity `json:"user"`
	List    []storedSession   `json:"list"`
}

// storedSession is one session. It holds a hash of the ID, so that a reader of
// the store cannot use it.
type storedSession struct {
	Name   string `json:"n"` // see ticket.name
	Epoch  string `json:"g"` // of the grant: the session ends with it
	Device string `json:"d,omitempty"`

	AtServer string `json:"o,omitempty"` // the session at the server (sid)
	Hint     string `json:"h,omitempty"` // the ID token, sealed; for a logout there

	Began   int64 `json:"b"` // in seconds since 1970, as the rest
	Seen    int64 `json:"s"`
	Expires int64 `json:"e"`
}

// find returns the session with this name, or nil. The record may be nil.
func (r *sessionRecord) find(name string) *storedSession {
	if r == nil {
		return nil
	}
	for i := range r.List {
		if r.List[i].Name == name {
			return &r.List[i]
		}
	}
	return nil
}

// add adds a session. Sessions of another epoch have ended with their grant,
// and are removed.
func (r *sessionRecord) add(s storedSession) {
	r.List = slices.DeleteFunc(r.List, func(old storedSession) bool { return old.Epoch != s.Epoch || old.Name == s.Name })
	if len(r.List) >= maxSessions {
		slices.SortFunc(r.List, func(a, b storedSession) int {
			return cmp.Or(cmp.Compare(b.Seen, a.Seen), cmp.Compare(b.Began, a.Began))
		})
		r.List = r.List[:maxSessions-1]
	}
	r.List = append(r.List, s)
}

// missing returns which of the sessions before are gone after a login in the
// browser that had the session replaced, and why.
func (r *sessionRecord) missing(before []storedSession, replaced string) map[string]string {
	gone := map[string]string{}
	for _, s := range before {
		switch {
		case r.find(s.Name) != nil:
		case s.Name == replaced:
			gone[s.Name] = reasonReplaced
		case len(r.List) == maxSessions:
			gone[s.Name] = reasonTooMany
		default:
			gone[s.Name] = reasonGrantEnded
		}
	}
	return gone
}

// setUser keeps who the user is.
func (r *sessionRecord) setUser(user provider.Identity) {
	if text, err := json.Marshal(user); err != nil || len(text) > maxUser {
		user = provider.Identity{Subject: user.Subject, Username: cut(user.Username), Name: cut(user.Name), Picture: cut(user.Picture)}
	}
	r.User = user
}

// cut bounds a text that is for display.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 1024)], "") }

// clone returns a copy that can be changed, without the sessions that have
// expired.
func (r *sessionRecord) clone(subject string, now time.Time) *sessionRecord {
	if r == nil {
		return &sessionRecord{Version: sessionVersion, Subject: subject}
	}
	c := *r
	c.List = slices.DeleteFunc(slices.Clone(r.List), func(s storedSession) bool { return s.Expires <= now.Unix() })
	return &c
}

var errSessionsDamaged = fmt.Errorf("%w: it is no list of sessions, or one of a newer version", storage.ErrCorrupt)

// decodeSessions reads a stored record. A record of another subject was moved
// there by someone who can write to the store (A37).
func decodeSessions(value []byte, subject string) (*sessionRecord, error) {
	r := new(sessionRecord)
	if json.Unmarshal(value, r) != nil || r.Version != sessionVersion || r.Subject != subject {
		return nil, errSessionsDamaged
	}
	return r, nil
}

// sessionKey returns the storage key of the sessions of a subject.
func (l *login) sessionKey(ctx context.Context, subject string) (string, error) {
	owner := l.client.Provider().Authority() + " " + l.client.ClientID()
	key, err := storage.Name(ctx, l.store, sessionPrefix, owner, subject)
	return key, unreadable(storage.NameKey(owner), err)
}

// readSessions reads the record of a subject. It is nil if there is none.
func (l *login) readSessions(ctx context.Context, key, subject string) (*sessionRecord, storage.Version, error) {
	stored, err := l.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, unreadable(key, err)
	}
	r, err := decodeSessions(stored.Value(), subject)
	return r, stored.Version, unreadable(key, err)
}

// errUnchanged is what the function of changeSessions returns if there is
// nothing to write.
var errUnchanged = errors.New("middleware: unchanged")

const sessionWriteTries = 3 // after failures of the store; conflicts do not count

// changeSessions changes the record of a subject by compare-and-swap. A change
// must be such that it can be made twice: if the answer of the store was lost,
// it is made again. A record without sessions is deleted.
func (l *login) changeSessions(ctx context.Context, subject string, change func(*sessionRecord) error) error {
	key, err := l.sessionKey(ctx, subject)
	if err != nil {
		return err
	}
	for attempt, failures := 1, 0; ; attempt++ {
		err := l.trySessions(ctx, key, subject, change)
		switch {
		case err == nil, errors.Is(err, errUnchanged):
			return nil
		case errors.Is(err, errEnded):
			return err
		case errors.Is(err, ErrUnreadable), ctx.Err() != nil:
			return away(err)
		case !errors.Is(err, storage.ErrConflict):
			if failures++; failures == sessionWriteTries {
				return away(err)
			}
		}
		if err := pause(ctx, attempt); err != nil {
			return away(err)
		}
	}
}

// away says that a failure of the store is temporary, unless the record cannot
// be read.
func away(err error) error {
	if err == nil || errors.Is(err, ErrUnreadable) || errors.Is(err, tokensource.ErrTemporary) {
		return err
	}
	return &tokensource.Error{Op: "store", Kind: tokensource.ErrTemporary, Err: err}
}

// trySessions is one attempt of changeSessions.
func (l *login) trySessions(ctx context.Context, key, subject string, change func(*sessionRecord) error) error {
	stored := l.known.begin(subject, key)
	old, version, err := l.readSessions(ctx, key, subject)
	if err != nil {
		return err
	}
	next := old.clone(subject, time.Now())
	if err := change(next); err != nil {
		return err
	}
	if len(next.List) == 0 {
		if version != 0 {
			err = l.store.Delete(ctx, key, version)
		}
		next, version = nil, 0
	} else {
		var text []byte
		if text, err = json.Marshal(next); err == nil {
			version, err = l.store.Put(ctx, key, text, version)
		}
	}
	if err != nil {
		l.known.forget(subject) // the outcome is unknown, or another process was faster
		return err
	}
	stored.publish(next, version)
	return nil
}
