package registration

// Failures returns how many errors r remembers.
func (r *Registrar) Failures() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed)
}
