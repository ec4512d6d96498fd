package event

import "bytes"

// nameSet is the set of names of one JSON object. Up to as many as a request
// has fields, and some, it allocates nothing; beyond that it is a map, so that
// a record of thousands of names costs no quadratic time.
type nameSet struct {
	few  [24][]byte
	n    int
	many map[string]struct{}
}

// add tells whether name is new. It keeps name.
func (s *nameSet) add(name []byte) bool {
	if s.many == nil {
		for _, have := range s.few[:s.n] {
			if bytes.Equal(have, name) {
				return false
			}
		}
		if s.n < len(s.few) {
			s.few[s.n] = name
			s.n++
			return true
		}
		s.many = make(map[string]struct{}, 4*len(s.few))
		for _, have := range s.few {
			s.many[string(have)] = struct{}{}
		}
	}
	if _, ok := s.many[string(name)]; ok {
		return false
	}
	s.many[string(name)] = struct{}{}
	return true
}
