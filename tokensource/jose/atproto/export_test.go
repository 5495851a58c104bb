package atproto

// MaxServers is how many authorization servers are kept in memory.
const MaxServers = maxServers

// Kept returns how many authorization servers are in memory.
func (l *Logins) Kept() int {
	l.accounts.mu.Lock()
	defer l.accounts.mu.Unlock()
	return len(l.accounts.servers)
}
