package simulation_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// send is one request with a refresh token.
type send struct {
	p       *process
	user    *user
	token   string
	at      time.Time
	status  int   // of the answer that came back; 0 if none did
	clean   bool  // the answer says that nothing was redeemed
	issued  *pair // by the server, whether or not the answer came back
	attempt *attempt
	again   bool // an earlier attempt may have redeemed the token

	challenged bool // the server wants another nonce, and has redeemed nothing
}

// lost reports whether the process does not know what became of the request.
func (s *send) lost() bool { return s.status == 0 }

// sent is called when a request leaves a process.
func (j *judge) sent(p *process, form url.Values, proof, fault string) *send {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &send{p: p, token: form.Get("refresh_token"), at: time.Now()}
	if form.Get("grant_type") != "refresh_token" {
		j.say(p, nil, "sends %s %s", form.Get("token_type_hint"), fault)
		j.counts.add("revocation requests", 1)
		return s
	}
	told := j.run.fake.Token(s.token)
	f := j.byUser[told.User.ID]
	s.user = j.user(told.User.ID)
	j.counts.add("refresh requests", 1)
	j.say(p, f, "sends the refresh token of pair %d.%d %s", told.Grant, told.Pair, fault)
	if key, _, _ := strings.Cut(proof, " "); key != told.Thumbprint {
		j.violation("foreign-key", f, "%s sends a refresh token of %q under %q (T12)", p.name, told.Thumbprint, key)
	}
	j.judgeSend(f, s)
	f.sends[s.token] = append(f.sends[s.token], s)
	return s
}

func (j *judge) user(id string) *user {
	for _, u := range j.run.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

// judgeSend looks at a request that leaves (G1, G3, G9). The lock must be held.
func (j *judge) judgeSend(f *facts, s *send) {
	a := f.announced(s)
	switch {
	case a == nil:
		j.violation("unannounced", f, "%s sends a refresh token without an intent of its own", s.p.name)
		return
	case a.sent != nil:
		j.violation("sent-twice", f, "%s sends a refresh token twice under one intent", s.p.name)
	}
	a.sent, s.attempt = s, a
	if took := s.at.Sub(a.began); took > requestTime+j.suspendedSlack() {
		j.violation("sent-late", f, "%s sends %v after it announced the request", s.p.name, took)
	}
	unclean := 0
	for _, earlier := range f.sends[s.token] {
		if !earlier.clean {
			unclean++
		}
	}
	if unclean > 0 {
		s.again = true
		j.counts.add("refresh tokens sent again", 1)
	}
	if unclean > 1 && !j.run.grace {
		j.violation("third-send", f, "%s sends the refresh token though %d attempts may have redeemed it", s.p.name, unclean)
	}
	if j.run.profile.spread() > 0 {
		return
	}
	if until := f.pauses[s.token]; s.at.Before(until) {
		j.violation("too-soon", f, "%s sends %v before the end of the pause after a failure", s.p.name, until.Sub(s.at))
	}
	if s.p.mustPause(a.began) {
		j.violation("breaker", f, "%s begins an attempt in the pause after five failures", s.p.name)
	}
}

// suspendedSlack is how much later than its limit a request may leave: a
// machine that is suspended while somebody sets its clock back knows no better.
func (j *judge) suspendedSlack() time.Duration {
	if j.run.profile.suspend > 0 {
		return 2 * j.run.profile.step
	}
	return 0
}

// announced returns the latest attempt of a process with a refresh token, or
// nil.
func (f *facts) announced(s *send) *attempt {
	for i := len(f.attempts) - 1; i >= 0 && i >= len(f.attempts)-20; i-- {
		if a := f.attempts[i]; a.p == s.p && a.pair.refresh == s.token {
			return a
		}
	}
	return nil
}

// handled is called when the server has answered a request.
func (j *judge) handled(s *send, status int, body []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.challenged = status == http.StatusBadRequest && bytes.Contains(body, []byte(`"use_dpop_nonce"`))
	if s.user == nil || status != http.StatusOK {
		return
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Access == "" {
		return
	}
	s.issued = j.issue(answer.Access, answer.Refresh)
	j.counts.add("redemptions", 1)
	j.say(s.p, j.byUser[s.user.id], "the server issues %v", s.issued)
}

// received is called when an answer of the server is back at the process.
func (j *judge) received(s *send, status int) {
	if s.user == nil {
		return
	}
	s.p.answered(s.user, false, 0)
	j.mu.Lock()
	defer j.mu.Unlock()
	s.status = status
	if s.challenged { // the same attempt sends the token once more
		s.clean = true
		j.counts.add("nonce challenges", 1)
		if s.attempt != nil && s.attempt.sent == s && !s.attempt.challenged {
			s.attempt.sent, s.attempt.challenged = nil, true
		}
	}
	if s.issued != nil {
		s.issued.holders, s.issued.received = append(s.issued.holders, s.p), time.Now()
	}
	j.say(s.p, j.byUser[s.user.id], "gets the answer: %d, %v", status, s.issued)
}

// failed is called when the answer of a server that has trouble is back.
func (j *judge) failed(s *send, pause time.Duration) {
	if s.user == nil {
		return
	}
	s.p.answered(s.user, true, pause)
	j.mu.Lock()
	defer j.mu.Unlock()
	s.status, s.clean = http.StatusServiceUnavailable, true
	f := j.byUser[s.user.id]
	f.pauses[s.token] = time.Now().Add(max(pause, 500*time.Millisecond))
	j.say(s.p, f, "gets the answer: 503, again after %v", pause)
}
