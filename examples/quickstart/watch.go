package main

import (
	"net/http"
	"net/url"
)

// watch tells the timeline about the requests of the browser to whom.
func (t *timeline) watch(whom string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			query = nil
		}
		line := t.begin(row{From: browser, To: whom, Method: r.Method, Path: r.URL.Path, Note: redacted(query)})
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { t.end(line, seen.status) }()
		next.ServeHTTP(seen, r)
	})
}

// watchWorker tells the timeline about the refresh of a worker. The app's own
// refreshes do not come by the network.
func (t *timeline) watchWorker(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		t.add(row{
			From: theWorker, To: authServer, Method: r.Method, Path: r.URL.Path, Status: seen.status,
			Note: "grant_type=refresh_token  refresh_token=" + mask + "  (the worker dies now)",
		}, counters{Refreshes: 1})
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
