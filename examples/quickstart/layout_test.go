package main_test

import (
	"testing"

	"github.com/authtrip/authtrip/examples/internal/chromium"
)

// TestBrowser_Layout looks at the pages as people do who have small screens,
// use the keyboard, or see little contrast.
func TestBrowser_Layout(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.Open(app.url, "h1", "OAuth that stays logged in")
	w.wantFit("the start page")
	w.Open(app.url+"/authorize", "h1", "wants to access your account")
	w.See("#fake", "This is a fake.")
	w.wantFit("the consent page")
	w.Click("#cancel", "h1", "Access was not given")
	w.See("body", "authtrip quickstart")
	w.wantFit("the denied page")
	w.Click(`a[href="/"]`, "h1", "OAuth that stays logged in")
	w.connect(app.url)
	w.wantFit("the page of a user")
	w.wantContrast("#text", "#call", "#many", "#kill", "#clear", "#logout", "#disconnect")
	for range 2 { // the second post is refused with one long line of JSON
		w.Fill("#text", "twice")
		w.Press("#post")
	}
	w.See("#result", "answered 403")
	w.wantFit("the page of a refused post")
	w.Click("#many", "#result", "200 calls, 0 refreshes") // nothing covers it
	w.wantFit("the page of 200 calls")
}

// TestBrowser_Focus presses each button with the keyboard. The next page must
// have the focus where the user was.
func TestBrowser_Focus(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.connect(app.url)
	for _, button := range []string{"#call", "#post", "#many", "#killmany", "#kill", "#expire", "#clear", "#withdraw"} {
		w.Press(button)
		w.WantFocus(button)
	}
	w.Press("#call") // access was withdrawn
	w.See("#notice", "the refresh was refused")
	w.WantFocus("#connect")
	for _, end := range []string{"#logout", "#disconnect"} {
		w.connect(app.url)
		w.Press(end)
		w.See("#notice", "You are logged out")
		w.WantFocus("#connect")
	}
}

// TestBrowser_FocusInTheTimeline reads in the list of requests while new ones
// come in.
func TestBrowser_FocusInTheTimeline(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.connect(app.url)
	w.Focus(".scroll")
	w.tab().Open(app.url+"/authorize", "h1", "wants to access")
	w.Until("an event", func() bool { return w.Text(".rows li:last-child .path") == "GET /i/oauth2/authorize" })
	w.WantFocus(".scroll")
}

// wantFit looks at the page in the widths of a small phone, a phone and a
// laptop. None may need to be scrolled sideways.
func (w *window) wantFit(what string) {
	w.t.Helper()
	for _, width := range []int64{320, 390, 1280} {
		w.Resize(width, 900)
		if got := chromium.Run[int64](w.Tab, `document.documentElement.scrollWidth`); got < 1 || got > width {
			w.t.Errorf("%s at %d pixels: scrollWidth = %d, want no more than the width", what, width, got)
		}
	}
	w.Resize(1200, 900)
}

// wantContrast expects that the border of each element stands out from what is
// around it by 3:1, in both colour schemes (WCAG 2.2, 1.4.11).
func (w *window) wantContrast(selectors ...string) {
	w.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		w.Prefer(scheme)
		for _, selector := range selectors {
			if got := chromium.Run[float64](w.Tab, contrast, selector); got < 3 {
				w.t.Errorf("%s, %s: the border has a contrast of %.2f, want 3", selector, scheme, got)
			}
		}
	}
	w.Prefer("light")
}

// contrast computes the contrast of an element's border with the background
// around the element (WCAG 2.2, relative luminance).
const contrast = `(() => {
	const element = document.querySelector(%q);
	const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
	const light = (color) => numbers(color).slice(0, 3).map((v) => v / 255)
		.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	let around = element.parentElement;
	while (numbers(getComputedStyle(around).backgroundColor)[3] === 0) around = around.parentElement;
	const both = [light(getComputedStyle(element).borderTopColor), light(getComputedStyle(around).backgroundColor)].sort((a, b) => b - a);
	return (both[0] + 0.05) / (both[1] + 0.05);
})()`
