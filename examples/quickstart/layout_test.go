package main_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowser_Layout looks at the pages as people do who have small screens,
// use the keyboard, or see little contrast.
func TestBrowser_Layout(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.open(app.url, "h1", "OAuth that stays logged in")
	w.wantFit("the start page")
	w.open(app.url+"/authorize", "h1", "wants to access your account")
	w.see("#fake", "This is a fake.")
	w.wantFit("the consent page")
	w.click("#cancel", "h1", "Access was not given")
	w.see("body", "authtrip quickstart")
	w.wantFit("the denied page")
	w.click(`a[href="/"]`, "h1", "OAuth that stays logged in")
	w.connect(app.url)
	w.wantFit("the page of a user")
	w.wantContrast("#text", "#call", "#many", "#kill", "#clear", "#logout", "#disconnect")
	for range 2 { // the second post is refused with one long line of JSON
		w.do("type", chromedp.SetValue("#text", "twice"))
		w.pressKey("#post")
	}
	w.see("#result", "answered 403")
	w.wantFit("the page of a refused post")
	w.click("#many", "#result", "200 calls, 0 refreshes") // nothing covers it
	w.wantFit("the page of 200 calls")
}

// TestBrowser_Focus presses each button with the keyboard. The next page must
// have the focus where the user was.
func TestBrowser_Focus(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.connect(app.url)
	for _, button := range []string{"#call", "#post", "#many", "#killmany", "#kill", "#expire", "#clear", "#withdraw"} {
		w.pressKey(button)
		w.wantFocus(button)
	}
	w.pressKey("#call") // access was withdrawn
	w.see("#notice", "the refresh was refused")
	w.wantFocus("#connect")
	for _, end := range []string{"#logout", "#disconnect"} {
		w.connect(app.url)
		w.pressKey(end)
		w.see("#notice", "You are logged out")
		w.wantFocus("#connect")
	}
}

// TestBrowser_FocusInTheTimeline reads in the list of requests while new ones
// come in.
func TestBrowser_FocusInTheTimeline(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.connect(app.url)
	w.do("focus", chromedp.Focus(".scroll"))
	w.tab().open(app.url+"/authorize", "h1", "wants to access")
	w.until("an event", func() bool { return w.text(".rows li:last-child .path") == "GET /i/oauth2/authorize" })
	w.wantFocus(".scroll")
}

// wantFit looks at the page in the widths of a small phone, a phone and a
// laptop. None may need to be scrolled sideways.
func (w *window) wantFit(what string) {
	w.t.Helper()
	for _, width := range []int64{320, 390, 1280} {
		w.do("resize", chromedp.EmulateViewport(width, 900))
		got := evaluate[[]int64](w, `[document.querySelector(%q).scrollWidth, innerWidth]`, "html")
		if len(got) != 2 || got[0] > got[1] || got[1] != width {
			w.t.Errorf("%s at %d pixels: [scrollWidth innerWidth] = %d, want no more than the width", what, width, got)
		}
	}
	w.do("resize", chromedp.EmulateViewport(1200, 900))
}

// pressKey moves the focus to a button, presses Enter, and waits for the next
// page.
func (w *window) pressKey(button string) {
	w.t.Helper()
	w.until("button "+button, func() bool {
		return evaluate[bool](w, `(() => {
			const button = document.querySelector(%q);
			if (document.readyState !== "complete" || !button) return false;
			button.focus();
			window.clicked = true;
			return document.activeElement === button;
		})()`, button)
	})
	w.do("press "+button, chromedp.KeyEvent("\r"))
	w.until("page after "+button, func() bool {
		return evaluate[bool](w, `document.readyState === "complete" && document.querySelector(%q) !== null && !window.clicked`, "body")
	})
}

// wantFocus expects the keyboard's focus on an element.
func (w *window) wantFocus(selector string) {
	w.t.Helper()
	w.until("focus on "+selector, func() bool {
		return evaluate[bool](w, `document.activeElement === document.querySelector(%q)`, selector)
	})
}

// wantContrast expects that the border of each element stands out from what is
// around it by 3:1, in both colour schemes (WCAG 2.2, 1.4.11).
func (w *window) wantContrast(selectors ...string) {
	w.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		w.prefer(scheme)
		for _, selector := range selectors {
			if got := evaluate[float64](w, contrast, selector); got < 3 {
				w.t.Errorf("%s, %s: the border has a contrast of %.2f, want 3", selector, scheme, got)
			}
		}
	}
	w.prefer("light")
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
