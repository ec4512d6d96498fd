package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const usage = "usage: bench path|restore|memory [flags]"

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no benchmark named\n%s", usage)
	}
	name, args := args[0], args[1:]
	flags := flag.NewFlagSet("bench "+name, flag.ContinueOnError)
	switch name {
	case "path":
		b := pathBench{out: out}
		b.register(flags)
		if err := flags.Parse(args); err != nil {
			return err
		}
		return b.run(ctx)
	case "restore":
		b := restoreBench{out: out}
		b.register(flags)
		if err := flags.Parse(args); err != nil {
			return err
		}
		return b.run(ctx)
	case "memory":
		b := memoryBench{out: out}
		b.register(flags)
		if err := flags.Parse(args); err != nil {
			return err
		}
		return b.run(ctx)
	case floorCommand:
		var f floor
		f.register(flags)
		if err := flags.Parse(args); err != nil {
			return err
		}
		return f.run(ctx, out)
	}
	return fmt.Errorf("no benchmark is called %q\n%s", name, usage)
}
