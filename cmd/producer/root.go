package main

import (
	"cmp"
	"io"

	"github.com/spf13/cobra"

	"reauth/internal/ops"
)

// world is what a command meets of the machine.
type world struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// newRoot returns the command line.
func newRoot(w world) *cobra.Command {
	root := &cobra.Command{
		Use:   "producer",
		Short: "Publish campaigns of face re-authentication requests and look after them",
		Long: `producer publishes the requests of a manifest to Kafka as one campaign, watches
a campaign until every request has its result, shows the history of one request,
lists dead letters or sends them back, erases what vendors and buckets hold of
a person, takes requests back (withdraw), and steers the running consumers: pause,
resume, rate and weight.

Settings come from a YAML file and from the environment, the same ones as the
consumer's: REAUTH_ and the path of the setting, levels joined by two
underscores, such as REAUTH_KAFKA__BROKERS. Of all settings only kafka,
default_vendor, selfies.bucket and selfies.allowed_buckets are used, and no
vendor's key is needed, but for erase, which needs selfies and vendors in full.

Exit codes: 0 done; 1 failed, rows were faulty, or nothing was found to show; 3
watch timed out; 4 not everything was erased; 130 stopped by a signal.`,
		Example: `  producer publish --config reauth.yaml --watch autumn.csv
  producer watch --config reauth.yaml --campaign autumn-6ae9c21f03d1
  producer show --config reauth.yaml r-1042
  producer dead list --config reauth.yaml --since 24h`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       cmp.Or(version, ops.ReadBuild().Version),
	}
	s := &settings{environ: w.environ}
	root.PersistentFlags().StringVar(&s.file, "config", "", "YAML file with the settings")
	root.AddCommand(newPublish(s), newWatch(s), newShow(s), newDead(s), newErase(s),
		newPause(s), newResume(s), newRate(s), newWeight(s), newWithdraw(s), newOrders(s), newVersion())
	return root
}
