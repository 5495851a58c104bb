package middleware

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// keptPrefix begins the storage keys of logins that could not finish yet.
const keptPrefix = "login."

const (
	keptLife    = time.Hour          // from the exchange: so long a login can be finished
	revokeLimit = 7 * 24 * time.Hour // after keptLife: so long its revocation is repeated
	saveLimit   = 24 * time.Hour     // after keptLife: so long the store is asked to take it

	firstKeptPause = 10 * time.Second // between two tries in the background; doubled each time (G9)
	lastKeptPause  = 10 * time.Minute
)

// kept is a login after its exchange (G21). Until it is finished, its tokens
// are here only, and in the store while it waits.
type kept struct {
	key       string               // of the record
	version   storage.Version      // of the record, as it was read or written last; zero without one
	token     func() *oauth2.Token // a closure, which nothing prints; nil when the tokens are stored
	scopes    []string             // that were asked for; nil means those of the client
	openID    openID               // what its ID token must answer
	subject   string               // who must log in; empty for anybody
	id        string               // names the login for the Keeper
	exchanged time.Time

	user     provider.Identity // without a subject as long as it is not known who the user is
	named    string            // the subject of the ID token, if there is one
	sid      string            // the session at the server, as the ID token names it
	hint     redact.Hidden     // the ID token, for a logout at the server
	accepted bool              // OnLogin has accepted the user
	tried    bool              // to store the grant: it may be stored
	epoch    string            // of the grant, once it is stored
	ending   bool              // the tokens are to be revoked

	account   string // the user of the app, if this becomes a connection
	claimed   bool   // the connection is listed
	confirmed bool   // and its grant is stored

	failures int       // tries in a row
	next     time.Time // the next try in the background

	owner string // the process that works on it, until the time below
	owned time.Time
}

// newKept makes a login of the tokens that were asked for at the given time. An
// answer states the lifetime of the token, from which Exchange has computed the
// expiry (G18).
func newKept(key string, tok *oauth2.Token, f flow, asked time.Time) *kept {
	if tok.ExpiresIn > 0 && !tok.Expiry.IsZero() {
		asked = tok.Expiry.Add(-time.Duration(tok.ExpiresIn) * time.Second)
	}
	return &kept{
		key: key, token: func() *oauth2.Token { return tok }, scopes: f.scopes, openID: f.openID, subject: f.subject, id: rand.Text(),
		exchanged: asked.Round(0).UTC(), account: f.account,
	}
}

// until is when the login cannot be finished any more.
func (k *kept) until() time.Time { return k.exchanged.Add(keptLife) }

// failed notes that a try failed.
func (k *kept) failed() {
	wait := lastKeptPause
	if k.failures < 6 {
		wait = min(firstKeptPause<<k.failures, lastKeptPause)
	}
	k.failures++
	k.next = time.Now().Add(wait).Round(0).UTC()
	if end := k.until(); !k.ending && k.next.After(end) && end.After(time.Now()) {
		k.next = end
	}
	k.owner = ""
}

// saved notes that the grant is stored. The record stays until its end, so that
// "try again" leads to a session.
func (k *kept) saved() {
	k.failures, k.next, k.owner = 0, k.until(), ""
}

// keptText is a kept login as it is sealed. It lives in writeKept and readKept
// only.
type keptText struct {
	Access    string                     `json:"a,omitempty"`
	Refresh   string                     `json:"r,omitempty"`
	Type      string                     `json:"t,omitempty"`
	Expiry    time.Time                  `json:"x,omitzero"`
	ExpiresIn int64                      `json:"xi,omitempty"`
	Members   map[string]json.RawMessage `json:"m,omitempty"`
	Key       string                     `json:"k,omitempty"`
	Scopes    []string                   `json:"sc,omitempty"`
	OpenID    string                     `json:"oi,omitempty"`
	Subject   string                     `json:"su,omitempty"`
	Named     string                     `json:"nu,omitempty"`
	Session   string                     `json:"si,omitempty"`
	Hint      string                     `json:"h,omitempty"`
	ID        string                     `json:"id"`
	Exchanged time.Time                  `json:"ex"`
	User      provider.Identity          `json:"u"`
	Accepted  bool                       `json:"ok,omitempty"`
	Tried     bool                       `json:"st,omitempty"`
	Epoch     string                     `json:"g,omitempty"`
	Ending    bool                       `json:"end,omitempty"`
	Account   string                     `json:"ac,omitempty"`
	Claimed   bool                       `json:"cl,omitempty"`
	Confirmed bool                       `json:"co,omitempty"`
	Failures  int                        `json:"f,omitempty"`
	Next      time.Time                  `json:"n,omitzero"`
	Owner     string                     `json:"o,omitempty"`
	Owned     time.Time                  `json:"ou,omitzero"`
}

// keptKey returns the storage key of the login with the given state.
func keptKey(state string) string {
	sum := sha256.Sum256([]byte("authtrip/login\x00" + state))
	return keptPrefix + hex.EncodeToString(sum[:])
}

// writeKept stores a login over the version of its record that k names.
func (l *login) writeKept(ctx context.Context, k *kept) error {
	t := keptText{
		Scopes: k.scopes, ID: k.id, Exchanged: k.exchanged, User: k.user, Accepted: k.accepted, Tried: k.tried,
		Epoch: k.epoch, Ending: k.ending, Failures: k.failures, Next: k.next, Owner: k.owner, Owned: k.owned,
		OpenID: k.openID.encode(), Subject: k.subject, Named: k.named, Session: k.sid, Hint: k.hint.Reveal(),
		Account: k.account, Claimed: k.claimed, Confirmed: k.confirmed,
	}
	if k.token != nil {
		tok := k.token()
		t.Access, t.Refresh, t.Type, t.Expiry, t.ExpiresIn = tok.AccessToken, tok.RefreshToken, tok.TokenType, tok.Expiry, tok.ExpiresIn
		t.Members, t.Key = l.membersOf(tok), proving.KeyOf(tok).Stored()
	}
	plain, err := json.Marshal(t)
	if err != nil {
		return err
	}
	sealed, err := l.keys.Seal(ctx, plain, l.binding(forKept, k.key))
	if err != nil {
		return err
	}
	version, err := l.store.Put(ctx, k.key, sealed, k.version)
	if err == nil {
		k.version = version
	}
	return err
}

// maxMembers is the size of the members that are kept, in bytes of JSON.
const maxMembers = 64 << 10

// membersOf returns the members of the token answer, because Options.Identify
// may need each of them. Of a very large answer, only those are kept that the
// Keeper reads: the scope, and those in which there is something that the
// provider keeps.
func (l *login) membersOf(tok *oauth2.Token) map[string]json.RawMessage {
	read := []string{"scope"}
	for _, path := range l.client.Provider().KeepMembers {
		name, _, _ := strings.Cut(path, ".")
		read = append(read, name)
	}
	all, _ := tok.Extra(members.Names).([]string)
	kept, size := map[string]json.RawMessage{}, 0
	for i, name := range slices.Concat(read, all) {
		text, err := json.Marshal(tok.Extra(name))
		if _, known := kept[name]; known || err != nil || string(text) == "null" {
			continue
		}
		if size += len(text); i < len(read) || size <= maxMembers {
			kept[name] = text
		}
	}
	return kept
}

// extraOf returns what membersOf has returned as Extra had it.
func extraOf(kept map[string]json.RawMessage) map[string]any {
	extra := map[string]any{members.Names: slices.Collect(maps.Keys(kept))}
	for name, text := range kept {
		if v, ok := members.Value(text); ok {
			extra[name] = v
		}
	}
	return extra
}

// readKept reads a login. It returns errNotSealed, or an error that matches
// seal.ErrUnsealed, if the login is not of this Login.
func (l *login) readKept(ctx context.Context, key string) (*kept, error) {
	stored, err := l.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	plain, err := l.keys.Open(ctx, stored.Value(), l.binding(forKept, key))
	if err != nil {
		return nil, err
	}
	var t keptText
	if json.Unmarshal(plain, &t) != nil {
		return nil, errNotSealed // written by another version
	}
	k := &kept{
		key: key, version: stored.Version, scopes: t.Scopes, id: t.ID, exchanged: t.Exchanged, user: t.User, accepted: t.Accepted, tried: t.Tried,
		epoch: t.Epoch, ending: t.Ending, failures: t.Failures, next: t.Next, owner: t.Owner, owned: t.Owned,
		subject: t.Subject, named: t.Named, sid: t.Session, hint: redact.Hide(t.Hint),
		account: t.Account, claimed: t.Claimed, confirmed: t.Confirmed,
	}
	var valid bool
	if k.openID, valid = decodeOpenID(t.OpenID); !valid {
		return nil, errNotSealed
	}
	if t.Access != "" || t.Refresh != "" {
		tok := proving.Bind(&oauth2.Token{
			AccessToken: t.Access, RefreshToken: t.Refresh, TokenType: t.Type, Expiry: t.Expiry, ExpiresIn: t.ExpiresIn,
		}, extraOf(t.Members), proving.Named(l.client.Proofs(), t.Key))
		k.token = func() *oauth2.Token { return tok }
	}
	return k, nil
}
