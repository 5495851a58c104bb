package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// events streams the timeline as server-sent events: each is the piece of the
// page that shows it, ready to be put in.
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		counters, rows, changed := a.timeline.view()
		if err := sendEvent(w, timelineView{Counters: counters, Rows: rows}); err != nil {
			return // the browser is gone
		}
		select {
		case <-changed:
		case <-a.stopped:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func sendEvent(w http.ResponseWriter, view timelineView) error {
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, "timeline", view); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintf(w, "data: %s\n", strings.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(w, "\n"); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
