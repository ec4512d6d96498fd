// Command sandbox is the outside world of reauth on one machine: Kafka, S3 and
// the identity vendors, simulated. It is for development, demonstrations and
// tests, and never part of the production image.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"reauth/internal/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on the usual handling is back, so that a second
	// one ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := command(os.Stdout).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// command reads the flags and runs the sandbox until its context ends.
func command(out io.Writer) *cobra.Command {
	o := sandbox.DefaultOptions()
	a := sandbox.Announcement{Out: out}
	var maxKBytes int64
	var topicPrefix string
	var priority bool

	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Kafka, S3 and the identity vendors, simulated on one machine",
		Long: `Kafka, S3 and the identity vendors Argos and, if asked for, FACEKI, Checkout.com
and Amazon Rekognition, simulated on one machine.

What happens to a request stands in its submission id (sub-approve-1,
sub-reject-similarity-2, sub-500-once-3 …) and in its selfie key
(selfies/1-60KB.jpg, selfies/2-missing.jpg …). For FACEKI it stands in the selfie
key alone, which says whose face it is (selfies/face-<reference>-60KB.jpg,
selfies/face-<reference>-other-3.jpg …). For Checkout.com it stands in the
applicant id (aplt_approve_1, aplt_abort_decline_62305_2 …): persons show their
faces by themselves, but for aplt_manual_3, whose link is to be opened in a browser.
For Amazon Rekognition it stands in the keys of the selfie and of the reference,
which say whose faces they are (selfies/face-jane-two-1.jpg, selfies/face-joe.jpg …).
The admin address changes how the services behave while they run: GET and PUT
/knobs, GET /stats, GET /ledger, GET /duplicates, POST /reset.

Stops on SIGINT or SIGTERM with a summary of what was charged.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Argos.MaxBytes = maxKBytes << 10
			o.Topics = sandbox.TopicsNamed(topicPrefix, priority)
			return sandbox.Run(c.Context(), o, a)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.KafkaAddr, "kafka", o.KafkaAddr, "address of Kafka; port 0 takes a free one, here and below")
	f.StringVar(&o.KafkaAdvertise, "kafka-advertise", "", "host that Kafka tells its clients (default: the one it listens on)")
	f.StringVar(&o.S3Addr, "s3", o.S3Addr, "address of S3")
	f.StringVar(&o.ArgosAddr, "argos", o.ArgosAddr, "address of the Argos API")
	f.StringVar(&o.FacekiAddr, "faceki", "", "address of the FACEKI API, for example 127.0.0.1:9102 (default: there is none)")
	f.StringVar(&o.CheckoutAddr, "checkout", "", "address of Checkout.com, for example 127.0.0.1:9103 (default: there is none)")
	f.StringVar(&o.RekognitionAddr, "rekognition", "", "address of Amazon Rekognition, for example 127.0.0.1:9104 (default: there is none)")
	f.StringVar(&o.AdminAddr, "admin", o.AdminAddr, "address of the admin API")
	f.StringVar(&o.DataDir, "data-dir", "", "keep Kafka's data in this directory (default: in memory)")

	f.IntVar(&o.Partitions, "partitions", o.Partitions, "partitions of every topic but the signals")
	f.StringVar(&topicPrefix, "topic-prefix", "faceauth", "what topic names begin with")
	f.BoolVar(&priority, "priority", false, "create the topic of priority requests too")
	f.IntVar(&o.Brokers, "brokers", o.Brokers, "number of Kafka brokers; those after the first take free ports")
	f.DurationVar(&o.MinSessionTimeout, "min-session", 0, "shortest group session allowed (default 6s)")

	f.StringSliceVar(&o.Argos.APIKeys, "api-key", o.Argos.APIKeys, "accepted API keys of Argos")
	f.Var(&o.Argos.Latency, "latency", "how long Argos takes: 300ms, 200ms-800ms, or p50=300ms,p99=2s")
	f.IntVar(&o.Argos.PerSecond, "limit", 0, "calls that Argos takes in any one second, 0 for any number")
	f.IntVar(&o.Argos.PerDay, "daily-limit", 0, "calls that Argos takes in a UTC day, 0 for any number")
	f.IntVar(&o.Argos.RetryAfterSeconds, "retry-after", o.Argos.RetryAfterSeconds, "seconds in Retry-After of a 429, 0 for no header")
	f.Int64Var(&maxKBytes, "max-kbytes", o.Argos.MaxBytes>>10, "largest body that Argos takes, in KiB")
	f.Float64Var(&o.Argos.ErrorRate, "error-rate", 0, "share of Argos calls that meet a 500, 502 or 503")
	f.Float64Var(&o.Argos.ThrottleRate, "throttle-rate", 0, "share of Argos calls that meet a 429")
	f.Float64Var(&o.Argos.ResetRate, "reset-rate", 0, "share of Argos calls that meet a reset connection")
	f.Float64Var(&o.Argos.HangRate, "hang-rate", 0, "share of Argos calls that are charged and never answered")

	f.Var(&o.Faceki.Latency, "faceki-latency", "how long FACEKI takes, written as for --latency")
	f.IntVar(&o.Faceki.PerSecond, "faceki-limit", 0, "searches that FACEKI takes in any one second, 0 for any number")
	f.IntVar(&o.Faceki.TokenSeconds, "faceki-token-seconds", o.Faceki.TokenSeconds, "how long a token of FACEKI is good")

	f.Var(&o.Checkout.Latency, "checkout-latency", "how long a call to Checkout.com takes, written as for --latency, and so below")
	f.IntVar(&o.Checkout.ReadsPerSecond, "checkout-reads", o.Checkout.ReadsPerSecond, "reads that Checkout.com takes in any one second, 0 for any number")
	f.IntVar(&o.Checkout.WritesPerSecond, "checkout-writes", o.Checkout.WritesPerSecond, "writes that Checkout.com takes in any one second, 0 for any number")
	f.IntVar(&o.Checkout.TokenSeconds, "checkout-token-seconds", o.Checkout.TokenSeconds, "how long a token of Checkout.com is good")
	f.Var(&o.Checkout.Link, "checkout-link", "how long a link waits for the person")
	f.Var(&o.Checkout.Think, "checkout-think", "how long the person takes to open the link")
	f.Var(&o.Checkout.Capture, "checkout-capture", "how long the person is before the camera")
	f.Var(&o.Checkout.Checks, "checkout-checks", "how long Checkout.com takes for its verdict")
	f.Var(&o.Checkout.Audit, "checkout-audit", "how long after its verdict Checkout.com turns it round, for an applicant with that in the script")
	f.StringVar(&o.Checkout.Webhook.URL, "checkout-webhook", "", "where the consumer is to listen for events, for example http://127.0.0.1:8081/webhooks/checkout (default: no events)")
	f.StringVar(&o.Checkout.Webhook.SignatureKey, "checkout-webhook-key", o.Checkout.Webhook.SignatureKey, "key of the events' signatures")

	f.Var(&o.Rekognition.Latency, "rekognition-latency", "how long Amazon Rekognition takes, written as for --latency")
	f.IntVar(&o.Rekognition.PerSecond, "rekognition-limit", 0, "comparisons that Amazon Rekognition takes in any one second, 0 for any number")

	f.StringSliceVar(&o.Buckets, "seed-bucket", o.Buckets, "buckets that hold scripted selfies, the default one first")
	f.Var(&o.S3.Latency, "s3-latency", "how long S3 takes, written as for --latency")
	f.Float64Var(&o.S3.SlowDownRate, "slow-down-rate", 0, "share of S3 requests that meet SlowDown")

	f.Uint64Var(&o.Seed, "seed", o.Seed, "makes latencies and rates repeatable")
	f.StringVar(&a.EnvFile, "env-file", "", "write the environment of a consumer there, for: set -a; . FILE")
	f.StringVar(&a.ReadyFile, "ready-file", "", "create this file once everything answers")
	return c
}
