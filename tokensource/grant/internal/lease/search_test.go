package lease_test

import (
	"fmt"
	"hash/maphash"
	"testing"
)

// search explores a graph breadth first, so that its traces are the shortest.
// It keeps 8 bytes of a state for the traces, and 8 bytes for the set of those
// that were seen: a hash of 63 bits in place of the state. Of 120 million
// states, the chance that any is taken for another one is one in 1,300. The
// seed of the hash is another one in every run.
type search struct {
	table   []uint64 // open addressing; 0 is free
	place   []uint32 // number of the state, beside table; only with edges
	parents []uint64 // parent<<20 | move
	seed    maphash.Seed

	edges   bool
	from    []uint32 // free moves, if edges
	to      []uint32
	settled []uint32

	todo        queue
	transitions uint64
}

func newSearch(edges bool) *search {
	s := &search{seed: maphash.MakeSeed(), edges: edges, table: make([]uint64, 1<<12)}
	if edges {
		s.place = make([]uint32, len(s.table))
	}
	return s
}

func (s *search) states() int { return len(s.parents) }

// visit looks at every state that is reached from first, until expand returns
// false. expand is told the number of the state and its bytes. It calls add for
// each move, and push for each new state.
func (s *search) visit(first []byte, expand func(state int, b []byte) bool) {
	s.add(first, 0, 0)
	s.todo.push(first)
	for n := 0; ; n++ {
		if b := s.todo.pop(); b == nil || !expand(n, b) {
			return
		}
	}
}

// add notes a state. It returns its number, and whether it is new.
func (s *search) add(b []byte, parent, move int) (int, bool) {
	if len(s.parents)*3 > len(s.table)*2 {
		s.grow()
	}
	h := maphash.Bytes(s.seed, b) | 1
	mask := uint64(len(s.table) - 1)
	i := (h >> 1) & mask
	for ; s.table[i] != 0; i = (i + 1) & mask {
		if s.table[i] == h {
			if s.edges {
				return int(s.place[i]), false
			}
			return 0, false
		}
	}
	s.table[i] = h
	n := len(s.parents)
	if s.edges {
		s.place[i] = uint32(n)
	}
	s.parents = append(s.parents, uint64(parent)<<20|uint64(move))
	return n, true
}

func (s *search) grow() {
	old, places := s.table, s.place
	s.table = make([]uint64, 2*len(old))
	if s.edges {
		s.place = make([]uint32, 2*len(old))
	}
	mask := uint64(len(s.table) - 1)
	for j, h := range old {
		if h == 0 {
			continue
		}
		i := (h >> 1) & mask
		for s.table[i] != 0 {
			i = (i + 1) & mask
		}
		s.table[i] = h
		if s.edges {
			s.place[i] = places[j]
		}
	}
}

// path returns the moves that lead from the start to a state.
func (s *search) path(state int) []int {
	var moves []int
	for ; state > 0; state = int(s.parents[state] >> 20) {
		moves = append(moves, int(s.parents[state]&(1<<20-1)))
	}
	for i, j := 0, len(moves)-1; i < j; i, j = i+1, j-1 {
		moves[i], moves[j] = moves[j], moves[i]
	}
	return moves
}

// stuck returns the states from which no settled state is reached by free
// moves.
func (s *search) stuck() []int {
	n := s.states()
	start := make([]uint32, n+1)
	for _, t := range s.to {
		start[t+1]++
	}
	for i := range n {
		start[i+1] += start[i]
	}
	back, at := make([]uint32, len(s.to)), append([]uint32(nil), start...)
	for i, t := range s.to {
		back[at[t]] = s.from[i]
		at[t]++
	}
	well := make([]bool, n)
	work := append([]uint32(nil), s.settled...)
	for _, i := range work {
		well[i] = true
	}
	for len(work) > 0 {
		t := work[len(work)-1]
		work = work[:len(work)-1]
		for _, f := range back[start[t]:start[t+1]] {
			if !well[f] {
				well[f] = true
				work = append(work, f)
			}
		}
	}
	var stuck []int
	for i, ok := range well {
		if !ok {
			stuck = append(stuck, i)
		}
	}
	return stuck
}

// queue holds the states that are to be looked at, as bytes without pointers.
type queue struct {
	chunks [][]byte
	head   int // in chunks[0]
}

const chunk = 1 << 20

func (q *queue) push(b []byte) {
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last])+len(b)+2 > chunk {
		q.chunks = append(q.chunks, make([]byte, 0, chunk))
		last++
	}
	c := append(q.chunks[last], byte(len(b)), byte(len(b)>>8))
	q.chunks[last] = append(c, b...)
}

// pop returns the next state, or nil. The bytes are valid until the next call.
func (q *queue) pop() []byte {
	for len(q.chunks) > 0 && q.head == len(q.chunks[0]) {
		q.chunks[0] = nil
		q.chunks, q.head = q.chunks[1:], 0
	}
	if len(q.chunks) == 0 {
		return nil
	}
	c := q.chunks[0][q.head:]
	n := int(c[0]) | int(c[1])<<8
	q.head += n + 2
	return c[2 : n+2]
}

// TestSearchFindsShortestPaths looks for four litres with jugs of three and
// five.
func TestSearchFindsShortestPaths(t *testing.T) {
	s := newSearch(true)
	goal := -1
	s.visit([]byte{0, 0}, func(state int, b []byte) bool {
		three, five := b[0], b[1]
		pour, back := min(three, 5-five), min(five, 3-three)
		moves := [][]byte{
			{3, five}, {three, 5}, {0, five}, {three, 0}, {three - pour, five + pour}, {three + back, five - back},
		}
		for move, next := range moves {
			n, fresh := s.add(next, state, move)
			s.from, s.to = append(s.from, uint32(state)), append(s.to, uint32(n))
			if fresh {
				s.todo.push(next)
			}
			if fresh && next[1] == 4 && goal < 0 {
				goal = n
				s.settled = append(s.settled, uint32(n))
			}
		}
		return true
	})
	if got := fmt.Sprint(s.states(), s.path(goal), len(s.stuck())); got != "16 [1 5 2 5 1 5] 0" {
		t.Errorf("states, path, stuck states = %s, want 16 [1 5 2 5 1 5] 0", got)
	}
	s.settled = nil
	if got := len(s.stuck()); got != 16 {
		t.Errorf("stuck states without a goal = %d, want 16", got)
	}
}
