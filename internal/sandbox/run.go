package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Announcement is how Run tells the world that it is there.
type Announcement struct {
	// Out gets a text for people: addresses, then a summary at the end.
	Out io.Writer
	// EnvFile, unless empty, gets the environment, for `set -a; . FILE`. It
	// holds only the sandbox's own made-up keys.
	EnvFile string
	// ReadyFile, unless empty, appears once everything answers, and after
	// EnvFile; it goes away at the end. It holds the admin API's URL.
	ReadyFile string
}

// Run keeps a sandbox up until ctx ends.
func Run(ctx context.Context, o Options, a Announcement) (err error) {
	if err := remove(a.ReadyFile); err != nil {
		return err
	}
	s, err := Start(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.announce(a); err != nil {
		return err
	}
	<-ctx.Done()
	s.Close()
	if err := remove(a.ReadyFile); err != nil {
		return err
	}
	_, err = io.WriteString(a.Out, s.summary())
	return err
}

func (s *Sandbox) announce(a Announcement) error {
	var env strings.Builder
	for _, v := range s.Environment() {
		fmt.Fprintln(&env, v)
	}
	if err := replace(a.EnvFile, env.String()); err != nil {
		return err
	}
	others := ""
	if s.Faceki != nil {
		others += "FACEKI  " + s.FacekiURL() + "\n"
	}
	if s.Checkout != nil {
		others += "Checkout.com  " + s.CheckoutURL() + "\n"
	}
	if s.Rekognition != nil {
		others += "Amazon Rekognition  " + s.RekognitionURL() + "\n"
	}
	text := fmt.Sprintf("Kafka   %s\nS3      %s\nArgos   %s\n%sadmin   %s\n\n%s\nready, stop with Ctrl-C\n",
		s.Brokers(), s.S3URL(), s.ArgosURL(), others, s.AdminURL(), env.String())
	if err := replace(a.ReadyFile, s.AdminURL()+"\n"); err != nil {
		return err
	}
	if _, err := io.WriteString(a.Out, text); err != nil {
		return fmt.Errorf("printing the addresses: %w", err)
	}
	return nil
}

// summary is what became of it all.
func (s *Sandbox) summary() string {
	argos, store := s.Argos.Stats(), s.S3.Stats()
	others := ""
	if s.Faceki != nil {
		f := s.Faceki.Stats()
		others += fmt.Sprintf("FACEKI: %d calls, %d charged, %d duplicates, %d refused, %d unauthorized, %d tokens, at most %d in one second and %d at once\n",
			f.Calls, f.Charged, f.Duplicates, f.Refused, f.Unauthorized, f.Tokens, f.PeakPerSecond, f.PeakInFlight)
	}
	if s.Checkout != nil {
		c := s.Checkout.Stats()
		hook := c.Webhook
		others += fmt.Sprintf("Checkout.com: %d created, %d duplicates, %d unattempted, %d attempts, %d of them while one lived, %d charged, %d refused, %d unauthorized, "+
			"at most %d reads and %d writes in one second; %d events, %d taken; %d fakes, %d taken\n",
			c.Created, c.Duplicates, c.Unattempted, c.Attempts, c.AttemptsWhileLive, c.Charged, c.Refused, c.Unauthorized,
			c.PeakReads, c.PeakWrites, hook.Events, hook.Taken, hook.Forged+hook.Unsigned, hook.FakesTaken)
	}
	if s.Rekognition != nil {
		r := s.Rekognition.Stats()
		others += fmt.Sprintf("Amazon Rekognition: %d calls, %d charged, %d duplicates, %d refused, at most %d in one second and %d at once\n",
			r.Calls, r.Charged, r.Duplicates, r.Refused, r.PeakPerSecond, r.PeakInFlight)
	}
	return fmt.Sprintf("\nArgos: %d calls, %d charged (%d approved, %d rejected), %d duplicates, %d refused, %d forbidden, at most %d in one second and %d at once\n%s"+
		"S3: %d requests, %d denied, %d told to slow down\n",
		argos.Calls, argos.Charged, argos.Approved, argos.Rejected, argos.Duplicates, argos.Refused, argos.Forbidden,
		argos.PeakPerSecond, argos.PeakInFlight, others, store.Requests, store.Denied, store.SlowDown)
}

// replace writes a file so that nobody ever sees half of it. An empty name
// writes nothing.
func replace(name, content string) (err error) {
	if name == "" {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = io.WriteString(file, content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// remove deletes a file that may not be there.
func remove(name string) error {
	if name == "" {
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	return nil
}
