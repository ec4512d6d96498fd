package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/ledger"
)

// orderOptions are the flags of the commands that give orders.
type orderOptions struct {
	vendor, campaign string
	by, reason       string
	output           string
}

// orderIsKept is what the help says of all orders.
const orderIsKept = `

The running consumers act on the order within a second or so, and it holds until
it is taken back, whatever stops or starts meanwhile: it stands in the ledger of
every shard. Of two orders about the same the later one holds. Consumers that are
all off for longer than ledger.window forget it. ` + "`producer orders`" + ` lists what is in
force.

--by and --reason are kept with the order, for people to read.`

func newPause(s *settings) *cobra.Command {
	var o orderOptions
	cmd := &cobra.Command{
		Use:   "pause {--vendor NAME | --campaign ID}",
		Short: "Pause the calls to a vendor, or those of a campaign",
		Long: `pause keeps the consumers from beginning calls: to a vendor, or for the requests
of a campaign. Calls that have left are finished. What is paused takes up where
it was after ` + "`producer resume`" + `, without an attempt lost; only not_after goes on.

A paused vendor's requests stay on their topic, and other vendors' behind them
may have to wait when a shard has as many open as it may have. A paused
campaign's are set aside, so that they hold up nobody, until a consumer keeps as
many as its memory allows; then they stay on their topic, too.` + orderIsKept,
		Example: `  producer pause --vendor argos --reason "maintenance until noon"
  producer pause --campaign autumn-6ae9c21f03d1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.give(cmd, s, ledger.Order{Kind: ledger.Pause})
		},
	}
	o.aboutEither(cmd)
	return cmd
}

func newResume(s *settings) *cobra.Command {
	var o orderOptions
	cmd := &cobra.Command{
		Use:   "resume {--vendor NAME | --campaign ID}",
		Short: "Take a pause back",
		Long:  `resume takes back what ` + "`producer pause`" + ` ordered. Without a pause it changes nothing.` + orderIsKept,
		Example: `  producer resume --vendor argos
  producer resume --campaign autumn-6ae9c21f03d1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.give(cmd, s, ledger.Order{Kind: ledger.Resume})
		},
	}
	o.aboutEither(cmd)
	return cmd
}

// fullRate takes an order about the rate back.
const fullRate = "full"

func newRate(s *settings) *cobra.Command {
	var o orderOptions
	cmd := &cobra.Command{
		Use:   "rate --vendor NAME {RATE | full}",
		Short: "Lower the rate of the calls to a vendor",
		Long: `rate makes all consumers together call a vendor no faster than ordered, such as
20/s or 300/min. The limits in the consumers' settings hold beside it, so a
higher rate than theirs changes nothing. full takes the order back.` + orderIsKept,
		Example: `  producer rate --vendor argos 20/s
  producer rate --vendor argos full`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			order := ledger.Order{Kind: ledger.Rate}
			if args[0] != fullRate {
				r, err := config.ParseRate(args[0])
				if err != nil {
					return fmt.Errorf("rate %q %w: give a count and a window, such as 20/s, or full", args[0], err)
				}
				order.Value = float64(r.Count) / r.Per.Seconds()
			}
			return o.give(cmd, s, order)
		},
	}
	o.add(cmd)
	o.aboutVendor(cmd)
	return cmd
}

func newWeight(s *settings) *cobra.Command {
	var o orderOptions
	cmd := &cobra.Command{
		Use:   "weight --campaign ID WEIGHT",
		Short: "Give a campaign a larger or smaller share of the calls",
		Long: fmt.Sprintf(`weight sets a campaign's share of the calls: one of weight 3 gets three of them
for each one of a campaign of weight 1, which is what every campaign has that
nobody gave a weight, and so have the requests of no campaign together. Weights
are from %v to %v.

Shares are among campaigns of the same priority that a consumer has requests of
at hand: a campaign that is published before another one fills the topic, and its
weight changes nothing before a consumer comes to the other one's requests.
Requests of the priority topic go first, whatever their weight.`, ledger.MinWeight, ledger.MaxWeight) + orderIsKept,
		Example: `  producer weight --campaign autumn-6ae9c21f03d1 3
  producer weight --campaign autumn-6ae9c21f03d1 1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			weight, err := strconv.ParseFloat(args[0], 64)
			if err != nil || !(weight >= ledger.MinWeight && weight <= ledger.MaxWeight) {
				return fmt.Errorf("weight %q: give a number from %v to %v", args[0], ledger.MinWeight, ledger.MaxWeight)
			}
			return o.give(cmd, s, ledger.Order{Kind: ledger.Weight, Value: weight})
		},
	}
	o.add(cmd)
	o.aboutCampaign(cmd)
	return cmd
}

func (o *orderOptions) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.by, "by", "", "who gives the order")
	f.StringVar(&o.reason, "reason", "", "why; no personal data")
	f.StringVar(&o.output, "output", outputTable, "table or json")
}

func (o *orderOptions) aboutVendor(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.vendor, "vendor", "", "the vendor: one of "+names(event.Vendors()))
	cmd.MarkFlagsOneRequired("vendor")
}

func (o *orderOptions) aboutCampaign(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.campaign, "campaign", "", "the campaign's id")
	cmd.MarkFlagsOneRequired("campaign")
}

func (o *orderOptions) aboutEither(cmd *cobra.Command) {
	o.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.vendor, "vendor", "", "the vendor: one of "+names(event.Vendors()))
	f.StringVar(&o.campaign, "campaign", "", "the campaign's id")
	cmd.MarkFlagsOneRequired("vendor", "campaign")
	cmd.MarkFlagsMutuallyExclusive("vendor", "campaign")
}

// check reports every fault at once.
func (o *orderOptions) check(order ledger.Order) error {
	faults := []error{checkOutput(o.output)}
	if o.vendor != "" {
		faults = append(faults, checkNames("vendor", []event.Vendor{order.Vendor}, event.Vendors()))
	}
	if o.campaign != "" {
		faults = append(faults, campaign.CheckID(o.campaign))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return order.Check()
}

// give gives the order to the consumers.
func (o *orderOptions) give(cmd *cobra.Command, s *settings, order ledger.Order) error {
	order.ID, order.IssuedAt = uuid.NewString(), time.Now().UTC().Truncate(time.Millisecond)
	order.Vendor, order.Campaign, order.By, order.Reason = event.Vendor(o.vendor), o.campaign, o.by, o.reason
	if err := o.check(order); err != nil {
		return err
	}
	shards, err := giveOrders(cmd, s, &order)
	if err != nil {
		return err
	}
	return writeGiven(cmd.OutOrStdout(), o.output, order, shards)
}

// giveOrders gives orders to the consumers and returns how many shards keep them.
func giveOrders(cmd *cobra.Command, s *settings, orders ...*ledger.Order) (shards int, err error) {
	c, err := s.load()
	if err != nil {
		return 0, err
	}
	topics := c.Kafka.Topics
	client, partitions, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), topics.Ledger, topics.Signals)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	g := orderGiver{scanner: scanner{client, partitions, cmd.ErrOrStderr()}, ledger: topics.Ledger, signals: topics.Signals}
	return partitions[topics.Ledger], g.give(cmd.Context(), orders...)
}

// writeGiven says what was ordered.
func writeGiven(w io.Writer, form string, order ledger.Order, shards int) error {
	if form == outputJSON {
		return writeJSON(w, order)
	}
	return table(w,
		"order\t"+orderWords(order),
		"about\t"+aboutWords(order),
		"issued\t"+order.IssuedAt.Format(momentTime),
		"kept by\t"+count(shards, "shard"))
}

// orderWords says what is ordered.
func orderWords(o ledger.Order) string {
	switch {
	case o.Kind == ledger.Rate && o.Value == 0:
		return "rate full"
	case o.Kind == ledger.Rate:
		return fmt.Sprintf("rate %.6g/s", o.Value)
	case o.Kind == ledger.Weight:
		return fmt.Sprintf("weight %g", o.Value)
	}
	return string(o.Kind)
}

// aboutWords says what an order is about.
func aboutWords(o ledger.Order) string {
	switch {
	case o.Vendor != "":
		return "vendor " + string(o.Vendor)
	case o.Campaign != "":
		return "campaign " + o.Campaign
	}
	return count(len(o.Requests), "request")
}
