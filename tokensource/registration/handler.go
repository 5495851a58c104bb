package registration

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"
)

// Handler returns a handler that serves the client ID metadata document of
// clientID, which [Metadata.Document] makes. Mount it at the path of clientID,
// which is the URL of the document. Caches may keep the document for an hour.
// The errors are those of Document, and one for a document above [MaxDocument].
func (m Metadata) Handler(clientID string) (http.Handler, error) {
	if err := CheckClientID(clientID); err != nil {
		return nil, err
	}
	document, err := m.Document(clientID)
	if err != nil {
		return nil, err
	}
	if len(document) > MaxDocument {
		return nil, fmt.Errorf("registration: the client ID metadata document has %d bytes: servers read up to %d", len(document), MaxDocument)
	}
	return serveDocument(document), nil
}

// serveDocument returns a handler that answers with a JSON document, which may
// be kept for an hour.
func serveDocument(document []byte) http.Handler {
	sum := sha256.Sum256(document)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
	})
}
