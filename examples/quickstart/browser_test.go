package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// window is a Chromium window of its own profile. Further tabs share its
// cookies.
type window struct {
	t   *testing.T
	ctx context.Context
}

// newWindow opens Chromium without a window. At home a machine without it skips
// the test, never where CI is set.
func newWindow(t *testing.T) *window {
	t.Helper()
	path := chromium()
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("Chromium is missing: install it, such as with apt-get install chromium")
		}
		t.Skip("Chromium is missing: install it to run this test, such as with apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1200, 900),
	)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	return (&window{t, ctx}).tab()
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// tab opens another tab.
func (w *window) tab() *window {
	w.t.Helper()
	ctx, stop := chromedp.NewContext(w.ctx)
	w.t.Cleanup(stop)
	// The first use of a context must not be one that ends: the tab would end with
	// it.
	if err := chromedp.Do(ctx); err != nil {
		w.t.Fatal(err)
	}
	return &window{w.t, ctx}
}

// patience is how long a person waits for a page. After that, a test reports
// that the program hangs.
const patience = 2 * time.Minute

func (w *window) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%s: %v; the page says %q", what, err, w.text("body"))
	}
}

// text returns what an element shows, or nothing if there is none or the page
// is still loading.
func (w *window) text(selector string) string {
	return evaluate[string](w, `document.readyState === "complete" ? document.querySelector(%q)?.innerText ?? "" : ""`, selector)
}

// evaluate returns the value of a script, or zero between two pages.
func evaluate[T any](w *window, script, selector string) (value T) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf(script, selector)))
	if err != nil {
		return *new(T)
	}
	return value
}

// until asks again and again, since a wait in the page would end with the page.
func (w *window) until(what string, done func() bool) {
	w.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); !done(); {
		select {
		case <-again.C:
		case <-late:
			w.t.Fatalf("no %s; the page says %q", what, w.text("body"))
		}
	}
}

// see waits until an element shows a text.
func (w *window) see(selector, text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%q in %s", text, selector), func() bool { return strings.Contains(w.text(selector), text) })
}

// click presses a button with the mouse, once nothing covers it, and waits for
// what it leads to: on the next page, since this one may say the same.
func (w *window) click(button, selector, text string) {
	w.t.Helper()
	var at []float64
	w.until("button "+button, func() bool {
		at = evaluate[[]float64](w, `(() => {
			const button = document.querySelector(%q);
			if (document.readyState !== "complete" || !button) return [];
			button.scrollIntoView({block: "center", behavior: "instant"});
			const box = button.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
			if (document.elementFromPoint(x, y) !== button) return [];
			window.clicked = true;
			return [x, y];
		})()`, button)
		return len(at) == 2
	})
	w.do("click "+button, chromedp.MouseClickXY(at[0], at[1]))
	w.until("page after "+button, func() bool {
		return evaluate[bool](w, `document.querySelector(%q) !== null && !window.clicked`, "body")
	})
	w.see(selector, text)
}

func (w *window) open(url, selector, text string) {
	w.t.Helper()
	w.do("open the page", chromedp.Navigate(url))
	w.see(selector, text)
}

// connect goes from the start page through consent to the page of who is
// connected.
func (w *window) connect(url string) {
	w.t.Helper()
	w.open(url, "h1", "OAuth that stays logged in")
	w.click("#connect", "h1", "wants to access your account")
	w.click("#allow", "#account", "Connected as X Developers (@XDevelopers)")
}

// forget drops all cookies, as a browser does when they expire.
func (w *window) forget() {
	w.t.Helper()
	if _, err := chromedp.Call(w.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		w.t.Fatal(err)
	}
}

// prefer sets the colour scheme: "light" or "dark".
func (w *window) prefer(scheme string) {
	w.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, media); err != nil {
		w.t.Fatal(err)
	}
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
		w.do("resize", chromedp.EmulateViewport(size.width, size.height))
		png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-"+size.suffix+".png"), png, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.do("resize", chromedp.EmulateViewport(1200, 900))
}
