package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// command is one benchmark.
type command interface {
	// register adds its flags, and with them its defaults.
	register(flags *flag.FlagSet)
	// run measures and writes tables to out. Its error is what could not be
	// measured, or a promise that was broken; a target that was missed is none.
	run(ctx context.Context, out io.Writer) error
}

// names are the benchmarks, in the order of the package comment.
var names = []string{"path", "restore", "memory", "drain", "latency", "utilisation", "soak"}

func commandCalled(name string) (command, bool) {
	switch name {
	case "path":
		return &pathBench{}, true
	case "restore":
		return &restoreBench{}, true
	case "memory":
		return &memoryBench{}, true
	case "drain":
		return &drainBench{}, true
	case "latency":
		return &latencyBench{}, true
	case "utilisation":
		return &utilisationBench{}, true
	case "soak":
		return &soakBench{}, true
	case floorCommand:
		return &floor{}, true
	}
	return nil, false
}

func run(ctx context.Context, args []string, out io.Writer) error {
	usage := "usage: bench " + strings.Join(names, "|") + " [flags]"
	if len(args) == 0 {
		return fmt.Errorf("no benchmark named\n%s", usage)
	}
	c, ok := commandCalled(args[0])
	if !ok {
		return fmt.Errorf("no benchmark is called %q\n%s", args[0], usage)
	}
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	c.register(flags)
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return c.run(ctx, out)
}
