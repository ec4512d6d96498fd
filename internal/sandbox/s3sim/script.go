package s3sim

import (
	"path"
	"strconv"
	"strings"
)

// Fault names what is wrong with a scripted object, as it is written in its
// key.
type Fault string

// The faults.
const (
	NoFault   Fault = ""
	Missing   Fault = "missing"
	NotImage  Fault = "notimage"
	Empty     Fault = "empty"
	Truncated Fault = "truncated"
	PNGBomb   Fault = "pngbomb"
	Huge      Fault = "huge"
)

// Script is what a key asks for.
type Script struct {
	Fault Fault
	form  form
}

// form is what pictures have in common that differ in nothing but their mark.
type form struct {
	png bool
	kB  int
}

const (
	defaultKB = 60
	// leastKB is what a picture takes; mostKB keeps what is kept of each
	// size within bounds.
	leastKB, mostKB = 2, 4000
	// hugeBytes is beyond the usual limit of 5 MiB.
	hugeBytes = 6 << 20
)

// ParseScript reads a key. The grammar stands in the package comment; words
// that it does not know mean nothing, and the last of two faults wins.
func ParseScript(key string) Script {
	name := path.Base(key)
	extension := path.Ext(name)
	s := Script{form: form{png: extension == ".png", kB: defaultKB}}
	for word := range strings.SplitSeq(strings.TrimSuffix(name, extension), "-") {
		switch fault := Fault(word); fault {
		case Missing, NotImage, Empty, Truncated, PNGBomb, Huge:
			s.Fault = fault
		}
		digits, isSize := strings.CutSuffix(word, "KB")
		if kB, err := strconv.Atoi(digits); isSize && err == nil && kB >= leastKB && kB <= mostKB {
			s.form.kB = kB
		}
	}
	return s
}
