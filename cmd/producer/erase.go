package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reauth/internal/app"
	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
)

// eraseOptions are the flags of erase.
type eraseOptions struct {
	requests    []string
	subjects    []string
	vendor      string
	selfies     bool
	includeOpen bool
	dryRun      bool
	rate        string
	yes         bool
}

// fromStdin stands for ids on standard input.
const fromStdin = "-"

// errIncomplete is in the chain when something is left that should be erased.
var errIncomplete = errors.New("not everything was erased")

func newErase(s *settings) *cobra.Command {
	var o eraseOptions
	cmd := &cobra.Command{
		Use:   "erase (--request ID | --subject ID)...",
		Short: "Erase what vendors, the archive and the bucket hold of a person",
		Long: `erase looks in the topics of requests, the results, the dead letters and the
ledger for requests, by their ids or by the person (submission_id or
applicant_id), and has the vendors delete what they keep of each authentication
that a record names. Then it deletes the pictures of the face that the consumer
has archived of these requests (vendors.checkout.archive, as it is set now), every
version of them; with --selfies the selfies too: the version that the request
names, or every version at its key. An object that carries the hold tag
(selfies.after_verdict.hold_tag), or that S3's Object Lock protects, stays. The
picture that a selfie was compared with is never touched.

The archive is searched by request id, also if no record names the request any
more: by --subject alone pictures are found only while records tell whose they
are. A consumer that has not archived all pictures of a request yet cannot be told
to leave it: then there is a line with the outcome pending, and when it tries next.
Once the vendor has erased them it finds none, and gives up some hours later, or
after anonymise_after, which its log and an alert tell. What it was fetching just
then may still come: give the same command again when it is done.

Not every vendor offers to erase: Argos and Checkout.com do, FACEKI and Amazon
Rekognition do not, and then the command says so. An authentication that no
record names any more cannot be found: run it while the topics hold the
requests. A request without a result is left alone, since its call may be
under way: wait for its result, or give --include-open, which leaves alone what
comes of that call.

Each thing that was erased, or could not be, is one line of JSON on standard
output, to be kept as a proof: when, what (authentication, picture, selfie or
request), request, subject and vendor reference, and the outcome. Of a picture and
a selfie it has the bucket and, as object_sha256, the SHA-256 of bucket, slash and
key: who knows the key can tell that it was this one. It says nothing else about
the person.

Outcomes: erased; gone (there was nothing left); held; failed, with the error;
not_offered (the vendor cannot erase); not_enabled (the settings do not enable
the vendor, or no record names it); open (no result yet); pending (pictures are
still to be archived); not_found (no record names the request or subject);
unknown_call (nobody knows what came of a call, so the vendor may hold an
authentication that no record names); unknown_key (a selfie was read, and no
record says which); would_erase, with --dry-run. After any but erased and gone
the exit code is 4, but for a dry run.

It does not erase:
  - records in Kafka. They hold ids, and what the request said, until the topic's
    retention has passed; the command says until when.
  - logs, which name requests by their ids, and copies of buckets and topics, such
    as backups and replicas.
  - what a vendor keeps by its own terms after it was asked to erase, and what a
    person was enrolled with there.
  - archived pictures in another bucket, or under another prefix, than are set now.

What the credentials need to be granted in the archive stands with its setting. A
dry run lists what it holds, and so needs s3:ListBucketVersions, too.

The vendor counts a deletion like a call, so this competes with the consumers
for the quota: --rate keeps it to one a second, and must be within the limits
in the settings. Erasing again does no harm: after an error or a signal, give
the same command again.

It uses the settings of the consumer, with the vendors' keys. It says what it is
about to do and asks, on a terminal. Elsewhere it needs --yes, or --dry-run.`,
		Example: `  producer erase --config reauth.yaml --request r-1042 --selfies --dry-run
  producer erase --config reauth.yaml --subject sub-77 --vendor argos --selfies >proof.ndjson
  producer erase --config reauth.yaml --request - --yes <ids.txt >proof.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.loadVendors()
			if err != nil {
				return err
			}
			return o.run(cmd, c)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.requests, "request", nil, "these request ids; - reads them from standard input, one a line")
	f.StringArrayVar(&o.subjects, "subject", nil, "all requests of this submission_id or applicant_id; - reads them from standard input")
	f.StringVar(&o.vendor, "vendor", "", "with --subject: only at this vendor: "+names(event.Vendors()))
	f.BoolVar(&o.selfies, "selfies", false, "delete the selfies too")
	f.BoolVar(&o.includeOpen, "include-open", false, "erase what there is of requests without a result, too")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be erased, and erase nothing")
	f.StringVar(&o.rate, "rate", "1/s", "ask the vendors at most so often, all of them together")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	return cmd
}

// run erases what the flags choose.
func (o *eraseOptions) run(cmd *cobra.Command, c config.Config) (err error) {
	wanted, rate, err := o.check(cmd, c)
	if err != nil {
		return err
	}
	topics := connect.ShardedTopics(c.Kafka.Topics)
	client, partitions, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), topics...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	f := newTraceFinder(scanner{client, partitions, cmd.ErrOrStderr()}, c, wanted)
	if err := f.search(cmd.Context()); err != nil {
		return fmt.Errorf("looking for what is to be erased: %w", err)
	}
	e := eraser{
		pace: pacer{rate: rate}, proofs: newProofWriter(cmd.OutOrStdout()),
		selfies: o.selfies, includeOpen: o.includeOpen, dryRun: o.dryRun, defaultBucket: c.Selfies.Bucket,
	}
	if err := e.open(cmd.Context(), c); err != nil {
		return err
	}
	defer e.close()
	if err := o.confirm(cmd, f, e.archive != nil); err != nil {
		return err
	}
	err = e.all(cmd.Context(), f.traces(), f.missing())
	return errors.Join(err, o.report(cmd.Context(), cmd.ErrOrStderr(), client, f, e.proofs))
}

// check reports every fault of the flags at once.
func (o *eraseOptions) check(cmd *cobra.Command, c config.Config) (wanted, config.Rate, error) {
	rate, err := parseRate(o.rate)
	faults := []error{err, o.checkStdin(cmd)}
	if o.rate == "" {
		faults = append(faults, errors.New(`--rate "": give a count and a window, such as 1/s`))
	}
	faults = append(faults, withinLimits(rate, c.Vendors))
	vendor := event.Vendor(o.vendor)
	if vendor != "" {
		faults = append(faults, checkNames("vendor", []event.Vendor{vendor}, event.Vendors()))
		if len(o.subjects) == 0 {
			faults = append(faults, errors.New("--vendor goes with --subject only"))
		}
	}
	if len(o.requests)+len(o.subjects) == 0 {
		faults = append(faults, errors.New("nothing is chosen: give --request or --subject"))
	}
	if err := errors.Join(faults...); err != nil {
		return wanted{}, rate, err
	}
	w := wanted{requests: map[string]bool{}, subjects: map[string]bool{}, vendor: vendor}
	faults = []error{
		readIDs(o.requests, cmd.InOrStdin(), w.requests, campaign.CheckRequestID),
		readIDs(o.subjects, cmd.InOrStdin(), w.subjects, checkSubject),
	}
	if len(w.requests)+len(w.subjects) == 0 {
		faults = append(faults, errors.New("no ids on standard input"))
	}
	return w, rate, errors.Join(faults...)
}

// checkStdin says whether standard input can do what it is needed for.
func (o *eraseOptions) checkStdin(cmd *cobra.Command) error {
	requests, subjects := slices.Contains(o.requests, fromStdin), slices.Contains(o.subjects, fromStdin)
	switch asks := !o.yes && !o.dryRun; {
	case requests && subjects:
		return errors.New("standard input holds either request ids or subjects: give - once")
	case asks && (requests || subjects):
		return errors.New("standard input holds ids and cannot answer: give --yes, or --dry-run to see what would be erased")
	case asks && !isTerminal(cmd.InOrStdin()):
		return errors.New("standard input is no terminal to ask on: give --yes to erase, or --dry-run to see what would be erased")
	}
	return nil
}

// withinLimits refuses a rate that is more than a vendor allows in all.
func withinLimits(rate config.Rate, v config.Vendors) error {
	if rate.Count == 0 {
		return nil
	}
	for _, name := range v.Enabled() {
		for _, limit := range v.Of(name).Limits.Rates {
			if float64(rate.Count)/rate.Per.Seconds() > float64(limit.Count)/limit.Per.Seconds() {
				return fmt.Errorf("--rate %s is more than the %s that vendors.%s.limits allow", rate, limit, name)
			}
		}
	}
	return nil
}

// readIDs adds the ids that are given, and those on in if one is -.
func readIDs(given []string, in io.Reader, ids map[string]bool, check func(string) error) error {
	var faults []error
	add := func(id string) {
		if err := check(id); err != nil {
			faults = append(faults, err)
			return
		}
		ids[id] = true
	}
	for _, id := range given {
		if id != fromStdin {
			add(id)
			continue
		}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if id := strings.TrimSpace(lines.Text()); id != "" {
				add(id)
			}
		}
		if err := lines.Err(); err != nil {
			faults = append(faults, fmt.Errorf("reading ids from standard input: %w", err))
		}
	}
	return errors.Join(faults...)
}

// checkSubject refuses what no request can have as its submission_id or
// applicant_id.
func checkSubject(id string) error {
	const most = 256
	if id == "" || len(id) > most {
		return fmt.Errorf("subject %q: give 1 to %d bytes", id, most)
	}
	return nil
}

// confirm shows what was found and asks for a yes, unless that is not wanted.
func (o *eraseOptions) confirm(cmd *cobra.Command, f *traceFinder, archived bool) error {
	words, nothing := f.words(o.selfies), len(f.found) == 0
	if archived {
		words += "; with what the archive holds of them"
		nothing = nothing && len(o.requests) == 0 // it is asked for their ids, too
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "found %s\n", words)
	if o.yes || o.dryRun || nothing {
		return nil
	}
	if err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), "erase this for good?"); err != nil {
		return fmt.Errorf("%w: nothing was erased", err)
	}
	return nil
}

// loadVendors reads the settings of the vendors, too.
func (s *settings) loadVendors() (config.Config, error) {
	return s.read(app.Vendors, "kafka", "selfies", "vendors")
}
