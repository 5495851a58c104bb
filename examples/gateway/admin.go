package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// admin issues, lists and revokes capabilities, for the operator's programs
// only. Serve it at an address that callers of the gateway do not reach.
type admin struct {
	allowed *capabilities
	key     [sha256.Size]byte
	origins []string // to which capabilities may be issued
}

// wanted is the request for a capability.
type wanted struct {
	Subject string   `json:"subject"`
	Origin  string   `json:"origin"`
	Methods []string `json:"methods"`
	Calls   int      `json:"calls"`
	Seconds int      `json:"seconds"` // of its life
}

func newAdmin(allowed *capabilities, key string, origins []string) http.Handler {
	a := &admin{allowed: allowed, key: sha256.Sum256([]byte("Bearer " + key)), origins: origins}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /capabilities", a.issue)
	mux.HandleFunc("GET /capabilities", a.list)
	mux.HandleFunc("DELETE /capabilities/{id}", a.revoke)
	return a.authorized(mux)
}

// authorized lets through who holds the operator's key.
func (a *admin) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(shown[:], a.key[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerJSON(w, http.StatusUnauthorized, map[string]string{"error": "show the operator's key"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *admin) issue(w http.ResponseWriter, r *http.Request) {
	var want wanted
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	body.DisallowUnknownFields()
	if err := body.Decode(&want); err != nil {
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": "the body is not the JSON of a capability"})
		return
	}
	if !slices.Contains(a.origins, want.Origin) {
		answerJSON(w, http.StatusBadRequest, map[string]any{"error": "this origin gets no tokens", "origins": a.origins})
		return
	}
	seconds := min(max(want.Seconds, 0), int(2*maxLifetime/time.Second))
	id, secret, err := a.allowed.issue(terms{
		Subject: want.Subject, Origin: want.Origin, Methods: want.Methods, Calls: want.Calls,
		Expires: a.allowed.now().Add(time.Duration(seconds) * time.Second),
	})
	if err != nil {
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	answerJSON(w, http.StatusCreated, map[string]string{"id": id, "capability": secret})
}

func (a *admin) list(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, a.allowed.list())
}

func (a *admin) revoke(w http.ResponseWriter, r *http.Request) {
	if !a.allowed.revoke(r.PathValue("id")) {
		answerJSON(w, http.StatusNotFound, map[string]string{"error": errUnknown.Error()})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
