package connect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	listingPrefix = "account."         // of storage keys
	listingOwner  = "authtrip/connect" // of their names

	// maxConnections is how many connections a user of the app has, and how many
	// users share one account.
	maxConnections = 64
)

// listing is the record of one user of the app: the connections.
type listing struct {
	Version int      `json:"v"`
	Account string   `json:"a"` // as Accounts.named returns it
	List    []*entry `json:"l"`

	want string // the account that the key is of
}

// entry is one connection of a user of the app.
type entry struct {
	ID        string `json:"i"`
	Authority string `json:"s"`
	ClientID  string `json:"c"`
	Provider  string `json:"p"`
	Subject   string `json:"sub"`
	Username  string `json:"u,omitempty"`
	Name      string `json:"n,omitempty"`
	Picture   string `json:"pic,omitempty"`

	// Connected is when the account was connected first, in seconds since 1970. It
	// is zero until the first grant is stored. Claimed is when the login that is
	// under way was listed, or zero if there is none, and Login names it.
	Connected int64  `json:"at,omitempty"`
	Claimed   int64  `json:"cl,omitempty"`
	Login     string `json:"lo,omitempty"`
}

func (l *listing) valid() bool { return l.Version == recordVersion && l.Account == l.want }

func (l *listing) empty() bool { return len(l.List) == 0 }

// find returns the connection with this ID, or nil.
func (l *listing) find(id string) *entry {
	for _, e := range l.List {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// remove takes a connection from the list.
func (l *listing) remove(id string) {
	l.List = slices.DeleteFunc(l.List, func(e *entry) bool { return e.ID == id })
}

func (e *entry) owner() tokensource.Owner {
	return tokensource.Owner{Authority: e.Authority, ClientID: e.ClientID}
}

// beingMade reports whether a login may be about to store the grant.
func (e *entry) beingMade(now time.Time) bool { return underWay(e.Claimed, now) }

// newEntry returns the entry of a connection that is being made.
func (p *part) newEntry(c connecting.Claim) *entry {
	return &entry{
		ID: idOf(p.owner, c.User.Subject), Authority: p.owner.Authority, ClientID: p.owner.ClientID, Provider: p.name,
		Subject: c.User.Subject, Username: cut(c.User.Username, 256), Name: cut(c.User.Name, 256), Picture: cut(c.User.Picture, 1024),
	}
}

// cut bounds a text that is for display.
func cut(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

func (e *entry) user() provider.Identity {
	return provider.Identity{Subject: e.Subject, Username: e.Username, Name: e.Name, Picture: e.Picture}
}

// idOf names the connection of an account at a server. It is no secret.
func idOf(o tokensource.Owner, subject string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"authtrip/connection", o.Authority, o.ClientID, subject}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// listing reads the record of an account. It has no entries if there is none.
func (a *Accounts) listing(ctx context.Context, account string) (*listing, error) {
	key, err := a.listingKey(ctx, account)
	if err != nil {
		return nil, err
	}
	l := newListing(account)
	_, err = a.read(ctx, key, l)
	return l, away(err)
}

func newListing(account string) *listing {
	return &listing{Version: recordVersion, Account: account, want: account}
}

func (a *Accounts) listingKey(ctx context.Context, account string) (string, error) {
	key, err := a.records().Name(ctx, listingPrefix, listingOwner, account)
	return key, away(unreadable(listingPrefix, err))
}

// changeListing changes the record of an account.
func (a *Accounts) changeListing(ctx context.Context, account string, alter func(*listing) error) error {
	key, err := a.listingKey(ctx, account)
	if err != nil {
		return err
	}
	return change(ctx, a, key, func() *listing { return newListing(account) }, alter)
}
