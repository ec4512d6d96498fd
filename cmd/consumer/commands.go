package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"reauth/internal/app"
	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/ops"
)

// newRoot returns the command line. Without a subcommand it runs the service.
func newRoot(environ []string) *cobra.Command {
	var file string
	load := func() (config.Config, error) {
		c, err := config.Load(config.Source{File: file, Environ: environ, Vendors: app.Vendors})
		if err != nil {
			return config.Config{}, fmt.Errorf("the settings are wrong:\n%w", err)
		}
		return c, nil
	}
	run := &cobra.Command{
		Use:   "run",
		Short: "Run the service until SIGTERM (the default)",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runService(cmd, load) },
	}
	root := &cobra.Command{
		Use:   "consumer",
		Short: "Take face re-authentication requests from Kafka to their results",
		Long: `consumer reads requests from Kafka, fetches each selfie from S3, asks the
identity vendor, and publishes exactly one result for each request.

Settings come from a YAML file and from the environment: REAUTH_ and the path
of the setting, levels joined by two underscores, such as
REAUTH_VENDORS__ARGOS__API_KEY_FILE.`,
		Example: `  consumer --config /etc/reauth/config.yaml
  consumer check --config /etc/reauth/config.yaml`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          run.RunE,
		Version:       cmp.Or(version, ops.ReadBuild().Version),
	}
	root.PersistentFlags().StringVar(&file, "config", "", "YAML file with the settings")
	root.AddCommand(run, newCheck(load), newTopics(load))
	return root
}

type loader func() (config.Config, error)

func runService(cmd *cobra.Command, load loader) error {
	c, err := load()
	if err != nil {
		return err
	}
	log := ops.NewLogger(cmd.ErrOrStderr(), c.Log.Level, c.Log.Format)
	for _, w := range c.Warnings() {
		log.Warn("doubtful setting", "setting", w.Key, "warning", w.Error())
	}
	ops.SetMemoryLimit(log, uint64(c.Selfies.MaxMemory)) // selfies lie outside the heap
	s, err := app.New(cmd.Context(), c, version, log)
	if err != nil {
		return err
	}
	log.Info("consumer starts", "version", cmd.Root().Version, "revision", ops.ReadBuild().Revision, "group", c.Kafka.Group, "ops", s.OpsAddr())
	return s.Run(cmd.Context())
}

func newCheck(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the settings, the brokers, the topics, the bucket and the vendors' credentials, without a paid call",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if failed := app.Check(cmd.Context(), c, cmd.OutOrStdout()); failed > 0 {
				return fmt.Errorf("%d of the checks failed", failed)
			}
			return nil
		},
	}
}

// topicsTime bounds the topics command.
const topicsTime = time.Minute

func newTopics(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "topics",
		Short: "Create the topics that are missing and tell how the others differ from what they should be",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			return createTopics(cmd, c)
		},
	}
}

func createTopics(cmd *cobra.Command, c config.Config) error {
	log := ops.NewLogger(cmd.ErrOrStderr(), c.Log.Level, c.Log.Format)
	client, err := connect.Open(c.Kafka, nil, log, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), topicsTime)
	defer cancel()
	statuses, err := client.CreateTopics(ctx, connect.Topics(c))
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	differ := 0
	for _, s := range statuses {
		switch {
		case s.Created:
			fmt.Fprintf(table, "%s\tcreated\n", s.Name)
		case len(s.Differences) == 0:
			fmt.Fprintf(table, "%s\tis as it should be\n", s.Name)
		}
		for _, d := range s.Differences {
			differ++
			fmt.Fprintf(table, "%s\tdiffers\t%s is %s, should be %s\n", s.Name, d.Property, d.Have, d.Want)
		}
	}
	err = errors.Join(err, table.Flush(), client.Close())
	if err == nil && differ > 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "Existing topics are never altered: change them with Kafka's own tools where it matters.")
	}
	return err
}
