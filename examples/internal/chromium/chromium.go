// Package chromium drives Chromium in tests, as a person does who waits until
// the page shows what the person wants to use.
//
// # Pages that render again
//
// A page may replace any of its elements at any moment. So no method asks the
// browser for an element and uses it in a second step: between the two, the
// element may be gone. Each look at a page is one script, and the script is run
// again until what it waits for holds.
//
// # Concurrency
//
// A Tab is for one goroutine. Tests that run in parallel need a Tab each.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Patience is how long a page may need. After that, a test reports that the
// browser or the program hangs.
const Patience = 2 * time.Minute

// Tab is a tab of a Chromium that has a profile of its own.
type Tab struct {
	t   testing.TB
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
}

// New starts Chromium, which accepts any certificate, and returns its first
// tab. Chromium ends with the test. Without Chromium the test is skipped; if CI
// is set, it fails.
func New(t testing.TB) *Tab {
	t.Helper()
	path := executable()
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
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("renderer-process-limit", "2"), chromedp.WindowSize(1200, 900),
	)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	return (&Tab{t, ctx}).Another()
}

func executable() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Another opens another tab, which shares the cookies.
func (b *Tab) Another() *Tab {
	b.t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	b.t.Cleanup(stop)
	// The first use of a context must not be one that ends: the tab would end with
	// it.
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatal(err)
	}
	return &Tab{b.t, ctx}
}

// For returns the same tab for a test within the test.
func (b *Tab) For(t testing.TB) *Tab { return &Tab{t, b.ctx} }

// OpenAside opens a page in another tab and does not wait for it.
func (b *Tab) OpenAside(url string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, target.CreateTarget, target.CreateTargetParams{URL: url}); err != nil {
		b.t.Fatal(err)
	}
}

// Forget drops all cookies, as a browser does when they expire.
func (b *Tab) Forget() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
}

// Prefer sets the colour scheme: "light" or "dark".
func (b *Tab) Prefer(scheme string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
	b.Until("colour scheme "+scheme, func() bool {
		return Run[bool](b, `matchMedia("(prefers-color-scheme: "+%q+")").matches`, scheme)
	})
}

// Resize sets the size of what the tab shows, in pixels of the page.
func (b *Tab) Resize(width, height int64) {
	b.t.Helper()
	b.do("resize", chromedp.EmulateViewport(width, height))
	b.Until("page of the new width", func() bool {
		return Run[bool](b, `document.readyState === "complete" && innerWidth === %d`, width)
	})
}

// Picture returns a picture of the whole page, in the format PNG.
func (b *Tab) Picture() []byte {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	return png
}
