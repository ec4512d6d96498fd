package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"reauth/internal/ops"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and the Go version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			b := ops.ReadBuild()
			fmt.Fprintf(cmd.OutOrStdout(), "producer %s (commit %s, %s)\n", cmd.Root().Version, b.Revision, b.GoVersion)
		},
	}
}
