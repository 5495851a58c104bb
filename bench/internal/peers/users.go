package peers

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/authtrip/authtrip/tokensource"
)

// Users are the users that a contender serves. User i has the number i, with
// zeros before it, as name and as access token.
type Users struct {
	Count       int
	NameLength  int // bytes; zero means shortName
	TokenLength int // bytes
}

// Lengths of names: the longest number that X gives a user, and a UUID (RFC
// 9562).
const (
	shortName = 19
	UUIDName  = 36
)

// Name returns the subject of user i.
func (u Users) Name(i int) string {
	if u.NameLength == 0 {
		return Subject(i)
	}
	return Text(i, u.NameLength)
}

// Subject returns the subject of user i where names have the usual length.
func Subject(i int) string { return Text(i, shortName) }

// Text returns the number i with zeros before it: length bytes.
func Text(i, length int) string { return fmt.Sprintf("%0*d", length, i) }

// Contexts returns the contexts of all users, in an order in which neighbours
// have numbers far apart. Count must be a power of ten.
//
// Each context, with the name in it, lies in memory after the one before it. So
// the processor fetches contexts ahead of their use, as if they had been made a
// moment ago, which is the case in a server. In any other order they cost every
// contender some hundred nanoseconds.
func (u Users) Contexts() []context.Context {
	const stride = 618_033_989 // coprime to ten: every user comes once
	list := make([]context.Context, u.Count)
	for i := range list {
		list[i] = u.context(i * stride % u.Count)
	}
	return list
}

// Zipf returns n contexts of users drawn by Zipf's law: a few users make most
// of the requests, and most users make a few. Each context is a new one, in the
// order of use, as those of Contexts are.
func (u Users) Zipf(n int) []context.Context {
	draw := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, uint64(u.Count-1))
	list := make([]context.Context, n)
	for i := range list {
		list[i] = u.context(int(draw.Uint64())) //nolint:gosec // below Count
	}
	return list
}

func (u Users) context(i int) context.Context {
	return tokensource.WithSubject(context.Background(), owner, u.Name(i))
}

// owner is what the users belong to: the client of an [Engine].
var owner = tokensource.Owner{Authority: benchTokenURL, ClientID: clientID}

const (
	benchTokenURL = "https://login.bench.example/token"
	clientID      = "bench"
)

// Context returns a context that names the user [Subject](i).
func Context(i int) context.Context {
	return tokensource.WithSubject(context.Background(), owner, Subject(i))
}

// SubjectOf returns the user that ctx names.
func SubjectOf(ctx context.Context) string {
	subject, _ := tokensource.SubjectFrom(ctx, owner)
	return subject
}
