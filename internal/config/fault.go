package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong, or doubtful, in the settings.
type Fault struct {
	// Key is the setting, such as "kafka.group"; empty when the fault is in
	// the file as a whole.
	Key string
	// Origin is where the value came from.
	Origin Origin
	// Problem says what is wrong, Remedy what to do. Neither quotes a secret.
	Problem, Remedy string

	// order is the setting's place in the reference file.
	order int
}

// Error returns the fault on one line: where, which key, what, what to do.
func (f *Fault) Error() string {
	var parts []string
	if s := f.Origin.String(); s != "" {
		parts = append(parts, s)
	}
	if f.Key != "" {
		parts = append(parts, f.Key)
	}
	s := strings.Join(append(parts, f.Problem), ": ")
	if f.Remedy != "" {
		s += "; " + f.Remedy
	}
	return s
}

// Origin is where a value came from. The zero value is its default.
type Origin struct {
	// File and Line (from 1; 0 when no line is known) are set for a value
	// from the file,
	File string
	Line int
	// Variable for one from the environment,
	Variable string
	// Override for one from the command line.
	Override bool
}

// String returns the origin as it stands at the start of a fault.
func (o Origin) String() string {
	switch {
	case o.Override:
		return "command line"
	case o.Variable != "":
		return o.Variable
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return o.File
}

// rank orders the sources: file, environment, command line, default.
func (o Origin) rank() int {
	switch {
	case o.File != "":
		return 0
	case o.Variable != "":
		return 1
	case o.Override:
		return 2
	}
	return 3
}

// Faults is every fault that was found, in the order of the file's lines, then
// the environment's variables, then the rest.
type Faults struct {
	List []*Fault
}

// Error returns the number of faults and one line for each.
func (f *Faults) Error() string {
	var b strings.Builder
	if len(f.List) == 1 {
		b.WriteString("1 fault in the settings:")
	} else {
		fmt.Fprintf(&b, "%d faults in the settings:", len(f.List))
	}
	for _, fault := range f.List {
		b.WriteString("\n  " + fault.Error())
	}
	return b.String()
}

// Unwrap returns the faults, so that errors.As finds the first *Fault.
func (f *Faults) Unwrap() []error {
	errs := make([]error, len(f.List))
	for i, fault := range f.List {
		errs[i] = fault
	}
	return errs
}

// joined returns the faults as one error, nil when there are none.
func joined(faults []*Fault) error {
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b *Fault) int {
		return cmp.Or(
			cmp.Compare(a.Origin.rank(), b.Origin.rank()),
			cmp.Compare(a.Origin.Line, b.Origin.Line),
			cmp.Compare(a.Origin.Variable, b.Origin.Variable),
			cmp.Compare(a.order, b.order),
		)
	})
	return &Faults{List: faults}
}
