//go:build unix

package pipeline

import (
	"syscall"
	"time"
)

// cpuUsed returns the CPU time that the process has taken so far.
func cpuUsed() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
