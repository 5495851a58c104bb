package grant

import (
	"strings"
	"time"
)

// jsonRecord is what encoding/json would be given: the fields of a record, exported.
type jsonRecord struct {
	Provider, ClientID, Subject, Epoch string
	Authorized                         time.Time
	Access, TokenType, Refresh, Scope  string
	Obtained, Expiry                   time.Time
	Refreshed                          bool
	State                              uint64
	Reason, Code, IntentID             string
	IntentSince, IntentUntil           time.Time
	Doubts, Failures                   uint64
	RetryAt                            time.Time
}

// Fixture returns a grant of about 2 KB as the engine keeps it, and the same for encoding/json.
func Fixture() (encode func() []byte, decodes func([]byte) error, equal any) {
	now := time.UnixMilli(1_700_000_000_000)
	r := &record{
		provider: "x", clientID: "client", subject: "2244994945", epoch: randomID(), authorized: now,
		access: strings.Repeat("a", 1000), tokenType: "bearer", refresh: strings.Repeat("r", 700),
		scope: "tweet.read users.read offline.access", obtained: now, expiry: now.Add(2 * time.Hour), refreshed: true,
	}
	return r.encode, func(b []byte) error {
			_, err := decode(b)
			return err
		}, &jsonRecord{
			Provider: r.provider, ClientID: r.clientID, Subject: r.subject, Epoch: r.epoch, Authorized: r.authorized,
			Access: r.access, TokenType: r.tokenType, Refresh: r.refresh, Scope: r.scope, Obtained: r.obtained,
			Expiry: r.expiry, Refreshed: true,
		}
}

// NewRecordForJSON returns what a record is decoded into by encoding/json.
func NewRecordForJSON() any { return new(jsonRecord) }

// StoredBytes returns the record of a grant of c as the store keeps it.
func StoredBytes(c *Client, subject string, now time.Time) []byte {
	r := &record{
		provider: c.provider.Name, clientID: c.registration.ClientID, subject: subject, epoch: "e", authorized: now, obtained: now,
		access: strings.Repeat("a", 90), tokenType: "bearer", refresh: strings.Repeat("r", 90), expiry: now.Add(48 * time.Hour),
	}
	return r.encode()
}
