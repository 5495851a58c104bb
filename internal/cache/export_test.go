package cache

// UseBits makes an empty Cache use only these bits of the hash of a subject, so
// that different subjects have equal hashes.
func (c *Cache[R]) UseBits(bits uint64) { c.bits = bits }

// UseKeyBits is UseBits for the keys.
func (c *Cache[R]) UseKeyBits(bits uint64) { c.keyBits = bits }

// Slots returns the size of the table.
func (c *Cache[R]) Slots() int { return len(c.table.Load().slots) }

// Ops returns how many reads and writes are under way.
func (c *Cache[R]) Ops() int {
	n := 0
	for _, ops := range c.ops {
		n += len(ops)
	}
	return n
}
