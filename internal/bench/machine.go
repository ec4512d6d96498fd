package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// machine is the CPU time of all processors since boot, by whether they had
// something to do.
type machine struct{ busy, idle time.Duration }

// readMachine reads it from /proc/stat.
func readMachine() (machine, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machine{}, fmt.Errorf("reading the machine's CPU time: %w", err)
	}
	return machineIn(stat)
}

// machineIn reads the first line of /proc/stat: cpu user nice system idle iowait
// irq softirq steal, and guest times that user time has in it (proc(5)). Time that
// was stolen by other machines is busy: it was not there to be used.
func machineIn(stat []byte) (m machine, err error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return m, fmt.Errorf("reading the machine's CPU time: %q", line)
	}
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return m, fmt.Errorf("reading the machine's CPU time: %w", err)
		}
		if i == 3 || i == 4 {
			m.idle += time.Duration(ticks) * tick
		} else {
			m.busy += time.Duration(ticks) * tick
		}
	}
	return m, nil
}

// busySince returns the share of the processors' time that was used since then.
func (m machine) busySince(then machine) float64 {
	busy, idle := m.busy-then.busy, m.idle-then.idle
	if busy+idle <= 0 {
		return 0
	}
	return float64(busy) / float64(busy+idle)
}

// crowded is the share of the processors' time from which on what was measured
// is the machine and not the consumer: whoever becomes ready has to queue.
const crowded = 0.9
