package nativeapp

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strings"
)

// A page is what the user may see in the browser. It shows nothing of the
// request (M12). In the text, {program} stands for the name of the program.
type page struct{ title, text string }

var (
	pageDone    = page{"You are logged in", "You can close this page and go back to {program}."}
	pageDenied  = page{"Access was refused", "You are not logged in, and nothing was stored. You can close this page. To log in after all, start again in {program}."}
	pageFailed  = page{"The login did not succeed", "You can close this page. Go back to {program}: it says why."}
	pageForeign = page{"Not this login", "This page does not belong to the login that {program} waits for. Go back to the page of the login."}
	pageNothing = page{"Nothing here", "There is nothing here."}
	pageUsed    = page{"Received before", "This answer was received before. Go back to {program}."}
)

// style is the style of all pages. Their policy allows this one by its hash.
const style = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.2rem;" +
	"color:#1a1a1a;background:#fff}h1{font-size:1.5rem}" +
	"@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}}"

var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// show answers with a page that has no script and loads nothing, and that is
// not stored.
func (a *App) show(w http.ResponseWriter, status int, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	text := strings.ReplaceAll(p.text, "{program}", html.EscapeString(a.title()))
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"+
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>"+p.title+"</title><style>"+style+"</style></head>"+
		"<body><main><h1>"+p.title+"</h1><p>"+text+"</p></main></body></html>\n")
}
