package xapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Post is what a user posted with PathTweets.
type Post struct {
	ID     string
	UserID string
	Text   string
}

type postJSON struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// createPost stores a post. The same text twice by one user is refused.
func (v *visit) createPost() *oauthtest.Answer {
	var in struct {
		Text string `json:"text"`
	}
	bad := json.Unmarshal(v.body(), &in) != nil || in.Text == ""
	s, user := v.s, v.tok.User.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if bad {
		return problem(http.StatusBadRequest, bodyBadPost)
	}
	if slices.ContainsFunc(s.posts, func(p Post) bool { return p.UserID == user && p.Text == in.Text }) {
		a := problem(http.StatusForbidden, bodyDuplicate)
		a.Note = "duplicate post refused"
		return a
	}
	p := Post{ID: strconv.Itoa(s.nextPost), UserID: user, Text: in.Text}
	s.nextPost++
	s.posts = append(s.posts, p)
	return answerJSON(http.StatusCreated, map[string]any{"data": postJSON{p.ID, p.Text}})
}

// listPosts returns the posts that ids names, or without it the latest hundred,
// newest first.
func (v *visit) listPosts() *oauthtest.Answer {
	ids := v.r.URL.Query().Get("ids")
	v.s.mu.Lock()
	posts := slices.Clone(v.s.posts)
	v.s.mu.Unlock()
	list := []postJSON{}
	for _, p := range slices.Backward(posts) {
		if len(list) < 100 && (ids == "" || slices.Contains(strings.Split(ids, ","), p.ID)) {
			list = append(list, postJSON{p.ID, p.Text})
		}
	}
	return answerJSON(http.StatusOK, map[string]any{"data": list, "meta": map[string]int{"result_count": len(list)}})
}
