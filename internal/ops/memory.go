package ops

import (
	"errors"
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare of the container's memory is the heap's soft limit. The rest is
// for what the Go runtime does not count, and for the time that the collector
// needs to react.
const memoryShare = 0.9

// SetMemoryLimit tells the garbage collector the memory that the container may
// use, less the bytes that the process keeps outside the collector's sight, so
// that it works harder near the limit instead of having the process killed. GOMEMLIMIT wins when it is set, and AUTOMEMLIMIT overrides the share
// of 0.9, or switches this off. Where there is no limit, nothing changes.
func SetMemoryLimit(logger *slog.Logger, outside uint64) {
	setMemoryLimit(logger, outside, memlimit.FromCgroup)
}

func setMemoryLimit(logger *slog.Logger, outside uint64, available memlimit.Provider) {
	// Without a limit the library would set the highest one there is; as an
	// error the same leaves everything alone.
	limited := func() (uint64, error) {
		limit, err := available()
		if errors.Is(err, memlimit.ErrNoLimit) {
			return 0, errUnlimited
		}
		if err == nil && limit <= 2*outside {
			return 0, errCrowded
		}
		return limit - outside, err
	}
	limit, err := memlimit.Set(memlimit.WithProvider(limited), memlimit.WithRatio(memoryShare))
	switch {
	case err == nil:
		logger.Info("memory limit", "bytes", limit)
	case errors.Is(err, errUnlimited), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		logger.Info("memory is not limited")
	default:
		logger.Warn("memory limit not set", "error", err)
	}
}

// errCrowded: a limit on the little that is left would only burn CPU.
var errCrowded = errors.New("the container has less than twice the memory that selfies may take: raise its limit or lower selfies.max_memory")

var errUnlimited = errors.New("the container's memory is not limited")
