package oauthtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type postJSON struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// createPost stores a post; the same text twice by one user is refused.
func (c *call) createPost(t *token, body payload) *reply {
	var in struct {
		Text string `json:"text"`
	}
	bad := json.Unmarshal(body.text, &in) != nil || in.Text == ""
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.attempts++
	if bad {
		return problem(http.StatusBadRequest, bodyBadPost)
	}
	user := t.grant.user
	if slices.ContainsFunc(c.s.posts, func(p Post) bool { return p.UserID == user && p.Text == in.Text }) {
		c.noteLocked("duplicate post refused")
		return problem(http.StatusForbidden, bodyDuplicate)
	}
	p := Post{ID: strconv.Itoa(c.s.nextPost), UserID: user, Text: in.Text}
	c.s.nextPost++
	c.s.posts = append(c.s.posts, p)
	return answerJSON(http.StatusCreated, map[string]any{"data": postJSON{p.ID, p.Text}})
}

// listPosts returns the posts that ids names, or else the latest hundred, newest first.
func (c *call) listPosts(*token, payload) *reply {
	ids := c.query.Get("ids")
	c.s.mu.Lock()
	posts := slices.Clone(c.s.posts)
	c.s.mu.Unlock()
	list := []postJSON{}
	for _, p := range slices.Backward(posts) {
		if len(list) < 100 && (ids == "" || slices.Contains(strings.Split(ids, ","), p.ID)) {
			list = append(list, postJSON{p.ID, p.Text})
		}
	}
	return answerJSON(http.StatusOK, map[string]any{"data": list, "meta": map[string]int{"result_count": len(list)}})
}
