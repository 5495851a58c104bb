package chromium

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// Run returns the value of a script, or zero between two pages, or if the
// script fails. The arguments stand for verbs of package fmt in the script.
func Run[T any](b *Tab, script string, args ...any) T {
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf(script, args...)))
	if err != nil {
		return *new(T)
	}
	return value
}

// do carries out actions that use no element of the page.
func (b *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v; the page says %q", what, err, b.Text("body"))
	}
}

// Text returns what an element shows, or nothing if there is none or the page
// is still loading.
func (b *Tab) Text(selector string) string {
	return Run[string](b, `document.readyState === "complete" ? document.querySelector(%q)?.innerText ?? "" : ""`, selector)
}

// Until asks again and again, since a wait in the page would end with the page.
func (b *Tab) Until(what string, done func() bool) {
	b.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(Patience); !done(); {
		select {
		case <-again.C:
		case <-late:
			b.t.Fatalf("no %s; the page is %q and says %q", what, Run[string](b, "location.href"), b.Text("body"))
		}
	}
}

// See waits until an element shows a text.
func (b *Tab) See(selector, text string) {
	b.t.Helper()
	b.Until(fmt.Sprintf("%q in %s", text, selector), func() bool { return strings.Contains(b.Text(selector), text) })
}

// Open opens a page and waits until an element shows a text.
func (b *Tab) Open(url, selector, text string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
	b.See(selector, text)
}

// Click presses a button with the mouse, once nothing covers it, and waits
// until an element of the next page shows a text. This page may show the same.
func (b *Tab) Click(button, selector, text string) {
	b.t.Helper()
	var at []float64
	b.Until("button "+button, func() bool {
		at = Run[[]float64](b, `(() => {
			const button = document.querySelector(%q);
			if (document.readyState !== "complete" || !button) return [];
			button.scrollIntoView({block: "center", behavior: "instant"});
			const box = button.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
			if (!button.contains(document.elementFromPoint(x, y))) return [];
			window.clicked = true;
			return [x, y];
		})()`, button)
		return len(at) == 2
	})
	b.do("click "+button, chromedp.MouseClickXY(at[0], at[1]))
	b.next(button)
	b.See(selector, text)
}

// Press moves the keyboard's focus to a button, presses Enter, and waits for
// the next page.
func (b *Tab) Press(button string) {
	b.t.Helper()
	b.Focus(button)
	b.do("press "+button, chromedp.KeyEvent("\r"))
	b.next(button)
}

// next waits for the page after the one that Click or Focus has marked.
func (b *Tab) next(button string) {
	b.t.Helper()
	b.Until("page after "+button, func() bool {
		return Run[bool](b, `document.readyState === "complete" && document.body !== null && !window.clicked`)
	})
}

// Focus moves the keyboard's focus to an element.
func (b *Tab) Focus(selector string) {
	b.t.Helper()
	b.Until("element "+selector+" that takes the focus", func() bool {
		return Run[bool](b, `(() => {
			const element = document.querySelector(%q);
			if (document.readyState !== "complete" || !element) return false;
			element.focus();
			window.clicked = true;
			return document.activeElement === element;
		})()`, selector)
	})
}

// WantFocus waits until an element has the keyboard's focus.
func (b *Tab) WantFocus(selector string) {
	b.t.Helper()
	b.Until("focus on "+selector, func() bool {
		return Run[bool](b, `document.activeElement !== null && document.activeElement === document.querySelector(%q)`, selector)
	})
}

// Fill writes a text into a field.
func (b *Tab) Fill(field, text string) {
	b.t.Helper()
	b.Until("field "+field, func() bool {
		return Run[bool](b, `(() => {
			const field = document.querySelector(%q);
			if (document.readyState !== "complete" || !field) return false;
			field.value = %q;
			return true;
		})()`, field, text)
	})
}
