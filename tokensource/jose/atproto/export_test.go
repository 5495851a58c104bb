package atproto

// MaxServers is how many authorization servers are kept in memory, and
// MaxInFlight how many requests of a Resolver are under way at once.
const (
	MaxServers  = maxServers
	MaxInFlight = maxInFlight
)

// Kept returns how many authorization servers are in memory.
func (l *Logins) Kept() int {
	l.accounts.mu.Lock()
	defer l.accounts.mu.Unlock()
	return len(l.accounts.servers)
}
