package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
)

// permissions are those that README.md lists, for the default prefix.
const permissions = "~authtrip:* &authtrip:changes -@all +hello +select +ping " +
	"+get +scan +subscribe +evalsha +eval +getrange +exists +set +del +publish"

// TestPermissions uses a user who may only what README.md lists, and one who
// may a bit less.
func TestPermissions(t *testing.T) {
	server := servertest.Redis(t)
	login := func(name, rules string) *redisstore.Store { return openAs(t, server.URL, name, rules) }
	s := login("enough", permissions)
	w := watch(t, s)
	w.wantNews(t, "")
	v := put(t, s, "permitted", "value", 0)
	v = put(t, s, "permitted", "again", v)
	w.wantNews(t, "permitted")
	if err := s.Delete(t.Context(), "none", v); err != nil {
		t.Errorf("Delete() of nothing = %v, want no error", err)
	}
	if keys := list(t, s); keys != "permitted" {
		t.Errorf("Keys() = %s, want permitted", keys)
	}
	s = login("deaf", strings.Replace(permissions, "&authtrip:changes", "&elsewhere", 1))
	wantPermission(t, "Watch", watch(t, s).wantEnd(t))
	s = login("elsewhere", strings.Replace(permissions, "~authtrip:*", "~elsewhere:*", 1))
	_, err := s.Get(t.Context(), "permitted")
	wantPermission(t, "Get", err)
	if err := login("enough", permissions).Delete(t.Context(), "permitted", v); err != nil {
		t.Errorf("Delete() = %v, want no error", err)
	}
}

// openAs opens the store as a user who has the given permissions.
func openAs(t *testing.T, url, name, rules string) *redisstore.Store {
	t.Helper()
	allow(t, url, name, "reset on >password "+rules)
	t.Cleanup(func() { connect(t, url).Do(context.Background(), "acl", "deluser", name) })
	s, err := redisstore.Open(t.Context(), strings.Replace(url, "redis://", "redis://"+name+":password@", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	return s
}

// allow changes the permissions of a user.
func allow(t *testing.T, url, name, rules string) {
	t.Helper()
	args := []any{"acl", "setuser", name}
	for rule := range strings.FieldsSeq(rules) {
		args = append(args, rule)
	}
	if err := connect(t, url).Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestWritesWithoutNotifications forbids PUBLISH, also after the write of an
// intent, which publishes nothing. Every write is made all the same: the tokens
// that a refresh token was redeemed for would be lost.
func TestWritesWithoutNotifications(t *testing.T) {
	server := servertest.Redis(t)
	for name, withdrawn := range map[string]string{
		"the command":  "-publish",
		"the channel":  "resetchannels &elsewhere",
		"all channels": "resetchannels",
	} {
		for _, when := range []string{"from the start", "after the intent"} {
			t.Run(name+" "+when, func(t *testing.T) {
				user := strings.ReplaceAll("quiet "+name+" "+when, " ", "-")
				s := openAs(t, server.URL, user, permissions)
				if when == "from the start" {
					allow(t, server.URL, user, withdrawn)
				}
				v, err := s.Put(storage.WithoutNotice(t.Context()), user, []byte("intent"), 0)
				if err != nil {
					t.Fatal(err)
				}
				allow(t, server.URL, user, withdrawn)
				if v, err = s.Put(t.Context(), user, []byte("tokens"), v); err != nil {
					t.Fatalf("Put(tokens) = %v, want them stored", err)
				}
				want(t, s, user, "tokens")
				if _, err := s.Put(t.Context(), user, []byte("late"), v+1); !errors.Is(err, storage.ErrConflict) {
					t.Errorf("Put(another version) = %v, want %v", err, storage.ErrConflict)
				}
				if err := s.Delete(t.Context(), user, v); err != nil {
					t.Errorf("Delete() = %v, want no error", err)
				}
				if _, err := s.Get(t.Context(), user); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("Get() afterwards = %v, want %v", err, storage.ErrNotFound)
				}
			})
		}
	}
}

func wantPermission(t *testing.T, call string, err error) {
	t.Helper()
	if !redis.IsPermissionError(err) || !strings.Contains(err.Error(), "permissions") {
		t.Errorf("%s without permission = %v, want advice", call, err)
	}
}
