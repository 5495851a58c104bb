package main_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/storage"
)

func TestDelete(t *testing.T) {
	tests := []struct {
		name, stdin string
		flags       []string
		code        int
		want        string
	}{
		{"-yes", "", []string{"-yes"}, 0, "its tokens were not revoked at the server"},
		{"typed", "9000001\n", nil, 0, "deleted grant."},
		{"typed on Windows", "9000001\r\n", nil, 0, "deleted grant."},
		{"JSON", "", []string{"-yes", "-o", "json"}, 0, `{"deleted":"grant.`},
		{"not typed", "", nil, 1, "not confirmed: nothing was done"},
		{"yes", "yes\n", nil, 1, "type its name once more"},
		{"mistyped", "9000002\n", nil, 1, "not confirmed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			key := a.newKey()
			user := a.user(a.grants(key), 1)
			a.setKeys(key)
			r := ctl(t, tt.stdin, append([]string{"delete", a.url, user}, tt.flags...)...).want(t, tt.code, tt.want)
			_, err := a.store.Get(t.Context(), a.key(user))
			if gone := errors.Is(err, storage.ErrNotFound); gone != (tt.code == 0) {
				t.Errorf("after delete Get() = %v, exit code %d", err, tt.code)
			}
			a.wantNoSecret("delete", r)
		})
	}
}

// Without the record that names are made with, every grant would be lost.
func TestDeleteRefusesWhatAllGrantsNeed(t *testing.T) {
	a := newApp(t)
	key := a.newKey()
	user := a.user(a.grants(key), 1)
	a.setKeys(key)
	nameKey := storage.NameKey(a.issuer() + " " + a.client.ClientID())
	ctl(t, "", "delete", "-yes", a.url, nameKey).want(t, 1, "every grant is lost")
	if _, err := a.store.Get(t.Context(), nameKey); err != nil {
		t.Errorf("Get(%s) = %v after a refused delete", nameKey, err)
	}
	if _, err := a.store.Get(t.Context(), a.key(user)); err != nil {
		t.Errorf("the grant is gone: %v", err)
	}
}

// What has changed since it was shown is not deleted.
func TestDeleteComparesFirst(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	in := &hook{text: user + "\n", before: func() { a.login(a.grants(), user) }}
	r := ctlFrom(t, in, "delete", a.url, user)
	r.want(t, 1, "it has changed meanwhile, so nothing was deleted")
	a.get(user)
}

// Ctrl-C ends the wait for an answer, though the terminal gives none.
func TestDeleteCtrlC(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	ctx, interrupt := context.WithCancelCause(t.Context())
	in := &hook{text: user + "\n", before: func() {
		interrupt(errors.New("interrupted"))
		<-t.Context().Done() // the operator types no more
	}}
	ended := make(chan result, 1)
	go func() {
		var stdout, stderr bytes.Buffer
		code := grantctl.Run(ctx, []string{"delete", a.url, user}, in, &stdout, &stderr)
		ended <- result{code, stdout.String(), stderr.String()}
	}()
	select {
	case r := <-ended:
		r.want(t, 1, "name once more: \ngrantctl: not confirmed: nothing was done: interrupted")
	case <-time.After(2 * time.Minute):
		t.Fatal("delete waits for an answer after Ctrl-C")
	}
	a.get(user)
}

func TestDeleteWhatIsDamaged(t *testing.T) {
	z := newZoo(t)
	ctl(t, "", "delete", "-yes", z.url, z.key("9000008")).want(t, 1, "restore", "from a backup, or remove it")
	ctl(t, "", "delete", "-yes", z.url, z.key("9000006")).want(t, 0, "deleted "+z.key("9000006")) // cannot be opened
}
