package browsers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may need. After that, a test reports that the
// browser hangs.
const patience = 2 * time.Minute

// tab is a tab of a Chromium with a profile of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab starts Chromium, which accepts any certificate. Without Chromium the
// test is skipped. If CI is set, the test fails.
func newTab(t *testing.T) *tab {
	t.Helper()
	path := chromium()
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no Chromium on this machine, and CI is set: install it (Debian: chromium)")
		}
		t.Skip("no Chromium on this machine: install it (Debian: chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("renderer-process-limit", "2"),
	)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	// The first use of a context must not be one that ends: the tab would end with
	// it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &tab{t, ctx}
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v; the page says %q", what, err, b.text())
	}
}

// open opens a page and waits until it shows a text.
func (b *tab) open(url, text string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
	b.see(text)
}

// openAside opens a page in another tab and does not wait for it.
func (b *tab) openAside(url string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, target.CreateTarget, target.CreateTargetParams{URL: url}); err != nil {
		b.t.Fatal(err)
	}
}

// forget drops all cookies.
func (b *tab) forget() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
}

// run returns the value of a script, or zero between two pages.
func run[T any](b *tab, script string) T {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		return *new(T)
	}
	return value
}

// text is what the page shows, or nothing while it is loading.
func (b *tab) text() string {
	return run[string](b, `document.readyState === "complete" ? document.body?.innerText ?? "" : ""`)
}

// see waits until the page shows a text.
func (b *tab) see(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("page that says %q", text), func() bool { return strings.Contains(b.text(), text) })
}

// until asks again and again, since a wait in the page would end with the page.
func (b *tab) until(what string, done func() bool) {
	b.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); !done(); {
		select {
		case <-again.C:
		case <-late:
			b.t.Fatalf("no %s; the page is %q and says %q", what, run[string](b, "location.href"), b.text())
		}
	}
}

// click clicks on the first element of a kind, and waits for the text of the
// page that follows.
func (b *tab) click(selector, text string) {
	b.t.Helper()
	b.until(selector, func() bool {
		return run[bool](b, fmt.Sprintf(`document.readyState === "complete" && !!document.querySelector(%q)`, selector))
	})
	run[bool](b, fmt.Sprintf(`window.clicked = true, document.querySelector(%q).click(), true`, selector))
	b.until("page after "+selector, func() bool { return run[bool](b, "!window.clicked") })
	b.see(text)
}
