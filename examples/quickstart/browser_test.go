package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/authtrip/authtrip/examples/internal/chromium"
)

// window is a tab of Chromium in which a person uses the quickstart.
type window struct {
	*chromium.Tab

	t *testing.T
}

func newWindow(t *testing.T) *window {
	t.Helper()
	return &window{chromium.New(t), t}
}

// tab opens another tab.
func (w *window) tab() *window {
	w.t.Helper()
	return &window{w.Another(), w.t}
}

// patience is how long a person waits for a page or for the program.
const patience = chromium.Patience

// connect goes from the start page through consent to the page of who is
// connected.
func (w *window) connect(url string) {
	w.t.Helper()
	w.Open(url, "h1", "OAuth that stays logged in")
	w.Click("#connect", "h1", "wants to access your account")
	w.Click("#allow", "#account", "Connected as X Developers (@XDevelopers)")
}

// shoot saves a picture of the page if AUTHTRIP_SCREENSHOTS names a folder.
func (w *window) shoot(name string) {
	w.t.Helper()
	dir := os.Getenv("AUTHTRIP_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, size := range []struct {
		suffix        string
		width, height int64
	}{{"desktop", 1200, 900}, {"phone", 390, 844}} {
		w.Resize(size.width, size.height)
		if err := os.WriteFile(filepath.Join(dir, name+"-"+size.suffix+".png"), w.Picture(), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.Resize(1200, 900)
}
