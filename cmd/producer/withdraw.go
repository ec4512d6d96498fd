package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/ledger"
)

// mostWithdrawn is how many requests one command withdraws, at most: each replica
// remembers them, in some 60 bytes each.
const mostWithdrawn = 100_000

// withdrawOptions are the flags of withdraw.
type withdrawOptions struct {
	orderOptions
	requests []string
	from     string
}

func newWithdraw(s *settings) *cobra.Command {
	var o withdrawOptions
	cmd := &cobra.Command{
		Use:   "withdraw {--request ID | --from FILE | --campaign ID} ...",
		Short: "Take requests back that have not been called yet",
		Long: fmt.Sprintf(`withdraw ends requests without a call: single ones, or those of a campaign. Each
gets its one result, with the outcome withdrawn, and costs nothing. It cannot be
taken back.

A request whose call was made, or may have been, goes on to its verdict: the person
may have been judged, and it is paid for. So watch the results, not this command,
for what became of them. One whose call may have been made at a vendor that cannot
be asked is withdrawn where ledger.on_unknown is repeat: it is not called again.

--request and --from (one id a line, - for standard input) take back whatever comes
under these ids within kafka.retention.requests, published by now or not; up to
%d ids at once. The shard of an id is not looked for, so an id that nobody
published is no fault.

--campaign takes back the requests of a campaign whose records were written until
now, by the times in Kafka, however late they are read within
kafka.retention.requests. What is published under it afterwards is called, with new
request ids: those that were withdrawn are duplicates within ledger.window.

The running consumers act on it within a second or so, also on what is paused, and
whatever stops or starts meanwhile: it stands in the ledger of every shard. Consumers
of a version that does not know withdrawals pass it over.

--by and --reason are kept with the order, for people to read.`, mostWithdrawn),
		Example: `  producer withdraw --request r-1042 --request r-1043 --reason "left the platform"
  producer withdraw --from left.txt
  producer withdraw --campaign autumn-6ae9c21f03d1 --reason "wrong manifest"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, s) },
	}
	o.add(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.requests, "request", nil, "a request's id; may be given again")
	f.StringVar(&o.from, "from", "", "file with request ids, one a line; - for standard input")
	f.StringVar(&o.campaign, "campaign", "", "the campaign's id")
	cmd.MarkFlagsOneRequired("request", "from", "campaign")
	return cmd
}

// run gives the orders.
func (o *withdrawOptions) run(cmd *cobra.Command, s *settings) error {
	ids, err := o.ids(cmd)
	faults := []error{err, checkOutput(o.output)}
	if cmd.Flags().Changed("campaign") {
		faults = append(faults, campaign.CheckID(o.campaign))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	orders := o.orders(ids, time.Now().UTC().Truncate(time.Millisecond))
	for _, order := range orders {
		if err := order.Check(); err != nil {
			return err
		}
	}
	shards, err := giveOrders(cmd, s, orders...)
	if err != nil {
		return err
	}
	w := withdrawn{Campaign: o.campaign, Requests: len(ids), IssuedAt: orders[0].IssuedAt, Orders: len(orders), Shards: shards}
	return w.write(cmd.OutOrStdout(), o.output)
}

// ids returns the request ids that are given, each once.
func (o *withdrawOptions) ids(cmd *cobra.Command) ([]string, error) {
	ids := make(map[string]bool)
	var faults []error
	for _, id := range o.requests {
		if err := campaign.CheckRequestID(id); err != nil {
			faults = append(faults, err)
		}
		ids[id] = true
	}
	if cmd.Flags().Changed("from") {
		faults = append(faults, o.readFrom(cmd.InOrStdin(), ids))
	}
	if len(ids) > mostWithdrawn {
		faults = append(faults, fmt.Errorf("%d request ids: give %d at most, or --campaign", len(ids), mostWithdrawn))
	}
	sorted := make([]string, 0, len(ids))
	for id := range ids {
		sorted = append(sorted, id)
	}
	slices.Sort(sorted)
	return sorted, errors.Join(faults...)
}

// readFrom adds the ids in the file that is named.
func (o *withdrawOptions) readFrom(stdin io.Reader, ids map[string]bool) (err error) {
	name, in := "stdin", stdin
	if o.from != fromStdin {
		f, err := os.Open(o.from)
		if err != nil {
			return fmt.Errorf("--from: %w: give a file with one request id a line, or -", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		name, in = o.from, f
	}
	return readIDLines(name, in, ids)
}

// faultsShown bounds the faulty lines that are named: a file of another kind has
// nothing else.
const faultsShown = 10

// longestShown bounds what is shown of a line, in bytes; no id is as long.
const longestShown = 200

// readIDLines adds the request ids that are in, one a line.
func readIDLines(name string, in io.Reader, ids map[string]bool) error {
	var faults []error
	found, faulty, number := 0, 0, 0
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		number++
		id := strings.TrimSpace(lines.Text())
		if id == "" {
			continue
		}
		found++
		id = id[:min(len(id), longestShown)]
		if err := campaign.CheckRequestID(id); err != nil {
			if faulty++; faulty <= faultsShown {
				faults = append(faults, fmt.Errorf("%s:%d: %w", name, number, err))
			}
			continue
		}
		if ids[id] = true; len(ids) > mostWithdrawn {
			break // the rest changes nothing
		}
	}
	if faulty > faultsShown {
		faults = append(faults, fmt.Errorf("%s: %s in all: give one request id a line", name, count(faulty, "faulty line")))
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("reading %s after line %d: %w: give one request id a line", name, number, err))
	}
	if len(faults) == 0 && found == 0 {
		faults = append(faults, fmt.Errorf("%s holds no request id: give one a line", name))
	}
	return errors.Join(faults...)
}

// orders returns what is to be ordered.
func (o *withdrawOptions) orders(ids []string, now time.Time) (orders []*ledger.Order) {
	add := func(order ledger.Order) {
		order.ID, order.Kind, order.IssuedAt, order.By, order.Reason = uuid.NewString(), ledger.Withdraw, now, o.by, o.reason
		orders = append(orders, &order)
	}
	if o.campaign != "" {
		add(ledger.Order{Campaign: o.campaign})
	}
	for chunk := range slices.Chunk(ids, ledger.MaxOrderRequests) {
		requests := make([]ledger.ID, len(chunk))
		for i, id := range chunk {
			requests[i] = ledger.IDOf(id)
		}
		add(ledger.Order{Requests: requests})
	}
	return orders
}

// withdrawn is what withdraw says at its end.
type withdrawn struct {
	Campaign string    `json:"campaign_id,omitempty"`
	Requests int       `json:"requests"`
	IssuedAt time.Time `json:"issued_at"`
	Orders   int       `json:"orders"`
	Shards   int       `json:"shards"`
}

func (w withdrawn) write(out io.Writer, form string) error {
	if form == outputJSON {
		return writeJSON(out, w)
	}
	var about []string
	if w.Campaign != "" {
		about = append(about, "campaign "+w.Campaign)
	}
	if w.Requests > 0 {
		about = append(about, count(w.Requests, "request"))
	}
	return table(out,
		"order\t"+string(ledger.Withdraw),
		"about\t"+strings.Join(about, ", "),
		"issued\t"+w.IssuedAt.Format(momentTime),
		"kept by\t"+count(w.Shards, "shard")+", as "+count(w.Orders, "order"))
}
