package connect_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage"
)

// TestTwoApps_WithOneStoreAndAUser17Each: neither sees, nor ends, what belongs
// to the other.
func TestTwoApps_WithOneStoreAndAUser17Each(t *testing.T) {
	a := newWorld(t, setup{options: connect.Options{App: "a"}})
	b := newWorld(t, setup{options: connect.Options{App: "b"}, store: a.store, keys: a.setup.keys, of: a})
	a.browser("17").mustConnect(a.x, ann)
	id := a.idOf("x")
	b.wantList("in the other app", "17")
	if err := b.accounts.End(t.Context(), "17", id); !errors.Is(err, connect.ErrNoConnection) {
		t.Errorf("End in the other app = %v, want %v", err, connect.ErrNoConnection)
	}
	if err := b.accounts.Forget(t.Context(), "17"); err != nil {
		t.Errorf("Forget in the other app = %v, want nil", err)
	}
	b.browser("17").connect(b.x, ann)
	b.wantErr("user 17 of the other app connects the same account", connect.ErrConnectedElsewhere)
	a.wantUsable("afterwards", "17")
	a.wantStatus("the disconnect", a.browser("17").do("POST", "/x/disconnect?connection="+id), http.StatusSeeOther)
	a.wantList("after the disconnect", "17")
	b.browser("17").mustConnect(b.x, ann)
	b.wantList("after the disconnect in the first app", "17", "x/ann")
	a.wantList("after the connection in the other app", "17")
}

// TestNew_NamesOfApps: what cannot name an app.
func TestNew_NamesOfApps(t *testing.T) {
	for name, ok := range map[string]bool{
		"": true, "acme": true, "https://acme.example/": true, strings.Repeat("a", 255): true,
		strings.Repeat("a", 256): false, "\xff": false, "a\x00b": false,
	} {
		if _, err := connect.New(userOf, &connect.Options{App: name}); (err == nil) != ok {
			t.Errorf("New with App %.10q = %v, want an error: %v", name, err, !ok)
		}
	}
}

// TestRecordsOfAClockThatWasADayAhead: a process with a wrong clock died in the
// middle of a connection, or of its end. Nobody waits for a day.
func TestRecordsOfAClockThatWasADayAhead(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour).Unix()
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.x, ann)
	id := w.idOf("x")
	w.alter("account.", "authtrip/connect", "17", `"at":`, fmt.Sprintf(`"cl":%d,"at":`, tomorrow))
	p := w.x.grants.Client()
	w.alter("connection.", p.Provider().Authority()+" "+p.ClientID(), ann, `"a":`, fmt.Sprintf(`"e":%d,"a":`, tomorrow))
	b.mustConnect(w.x, ann)
	w.alter("account.", "authtrip/connect", "17", `"at":`, fmt.Sprintf(`"cl":%d,"at":`, tomorrow))
	if err := w.accounts.End(t.Context(), "17", id); err != nil {
		t.Errorf("End = %v, want nil", err)
	}
	w.wantList("afterwards", "17")
}

// alter changes the text of a record.
func (w *world) alter(prefix, owner, subject, old, changed string) {
	w.Helper()
	key, err := storage.Name(w.Context(), w.store, prefix, owner, subject)
	if err != nil {
		w.Fatal(err)
	}
	r, err := w.store.Get(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	text := bytes.Replace(r.Value(), []byte(old), []byte(changed), 1)
	if bytes.Equal(text, r.Value()) {
		w.Fatalf("the record %s = %s, want %s in it", key, text, old)
	}
	if _, err := w.store.Put(w.Context(), key, text, r.Version); err != nil {
		w.Fatal(err)
	}
}
