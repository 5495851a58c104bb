package middleware

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// serverNames says which users of the app the authorization server means, by
// the names that it has for its sessions. Like the ledger, it is a fixed number
// of lists in the store of the grants, and every write drops the entries that
// have expired.
type serverNames struct {
	store storage.Store
	owner string // names the Login, in digits
}

const (
	nameShards   = 256
	maxNames     = 8192 // entries of one list; with one more, the oldest goes
	namesVersion = 1
)

func serverNamesOf(store storage.Store, authority, clientID, path string) serverNames {
	sum := sha256.Sum256([]byte(strings.Join([]string{authority, clientID, path}, "\x00")))
	return serverNames{store, hex.EncodeToString(sum[:6])}
}

// named is the stored record.
type named struct {
	Version int         `json:"v"`
	List    []namedUser `json:"l"`
}

type namedUser struct {
	Hash    string `json:"h"` // of the name
	Subject string `json:"s"`
	Expires int64  `json:"e"` // in seconds since 1970
}

var errNamesDamaged = fmt.Errorf("%w: it is no list of sessions at the server, or one of a newer version", storage.ErrCorrupt)

// place says under which key a name is remembered, and as what.
func (n serverNames) place(name string) (key, hash string) {
	sum := sha256.Sum256([]byte("authtrip/server\x00" + name))
	return fmt.Sprintf("middleware.server.%s.%02x", n.owner, int(sum[0])%nameShards), base64.RawURLEncoding.EncodeToString(sum[1:17])
}

func (n serverNames) read(ctx context.Context, key string) (named, storage.Version, error) {
	stored, err := n.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return named{Version: namesVersion}, 0, nil
	}
	if err != nil {
		return named{}, 0, unreadable(key, err)
	}
	var list named
	if json.Unmarshal(stored.Value(), &list) != nil || list.Version != namesVersion {
		return named{}, 0, unreadable(key, errNamesDamaged)
	}
	return list, stored.Version, nil
}

// add remembers that a name is of a subject, until a time.
func (n serverNames) add(ctx context.Context, name, subject string, until time.Time) error {
	key, hash := n.place(name)
	for attempt := 1; ; attempt++ {
		list, version, err := n.read(ctx, key)
		if err != nil {
			return away(err)
		}
		now := time.Now().Unix()
		list.List = slices.DeleteFunc(list.List, func(u namedUser) bool {
			return u.Expires <= now || u.Hash == hash && u.Subject == subject
		})
		list.List = append(list.List, namedUser{hash, subject, until.Unix()})
		list.List = list.List[max(0, len(list.List)-maxNames):]
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		_, err = n.store.Put(ctx, key, text, version)
		if !errors.Is(err, storage.ErrConflict) {
			return away(err)
		}
		if err := pause(ctx, attempt); err != nil {
			return away(err)
		}
	}
}

// find returns the subjects that a name is of.
func (n serverNames) find(ctx context.Context, name string) (subjects []string, err error) {
	key, hash := n.place(name)
	list, _, err := n.read(ctx, key)
	for _, u := range list.List {
		if u.Hash == hash && u.Expires > time.Now().Unix() {
			subjects = append(subjects, u.Subject)
		}
	}
	return subjects, err
}
