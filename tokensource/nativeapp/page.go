package nativeapp

import (
	"io"
	"net/http"
)

// The pages that the user may see. They show nothing of the request.
const (
	pageDone    = "You are logged in. You can close this page."
	pageFailed  = "The login did not succeed. Go back to the program: it says why."
	pageForeign = "This page does not belong to the login that the program waits for. Go back to the page of the login."
	pageNothing = "There is nothing here."
	pageUsed    = "This answer was received before. Go back to the program."
)

// show answers with a page that has no script and loads nothing, and that is
// not stored.
func show(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Login</title></head><body><p>"+text+"</p></body></html>\n")
}
