package tokensource

// CacheSize returns the number of grants that g keeps in memory.
func CacheSize(g *Grants) int { return g.cache.size() }
