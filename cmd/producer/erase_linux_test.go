package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestErasureOnATerminalIsAskedFor(t *testing.T) {
	for answer, erased := range map[string]bool{"\n": false, "n\n": false, "y\n": true} {
		b := newEraseBench(t)
		reference := b.authenticate("sub-approve-1")
		b.result("r1", "sub-approve-1", reference, nil)
		user, terminal := openTerminal(t)
		errs, ended := newConsole(), make(chan int)
		var out bytes.Buffer
		go func() {
			ended <- executed(t.Context(), []string{"erase", "--request", "r1"}, world{in: terminal, out: &out, err: errs, environ: b.environ()})
		}()
		errs.asked(t)
		if b.isErased(reference) {
			t.Error("it was erased before the answer")
		}
		fmt.Fprint(user, answer)
		code := <-ended
		if b.isErased(reference) != erased || (code == 0) != erased || (out.Len() > 0) != erased {
			t.Errorf("%q: erased %t, exit code %d, proofs %q", answer, b.isErased(reference), code, out.String())
		}
		if !erased && !strings.Contains(errs.String(), "not confirmed: nothing was erased") {
			t.Errorf("%q: standard error:\n%s", answer, errs)
		}
	}
}

// No record names the request, and the archive may hold pictures of it.
func TestErasureFromTheArchiveAloneIsAskedForToo(t *testing.T) {
	b := newArchiveBench(t, plainArchive)
	b.picture("r-1", "face_image-1")
	user, terminal := openTerminal(t)
	fmt.Fprint(user, "n\n")
	errs := newConsole()
	var out bytes.Buffer
	code := executed(t.Context(), []string{"erase", "--request", "r-1"}, world{in: terminal, out: &out, err: errs, environ: b.environ()})
	if code != exitFailed || out.Len() > 0 || !strings.Contains(errs.String(), "not confirmed: nothing was erased") {
		t.Errorf("exit code %d, proofs %q, standard error:\n%s", code, out.String(), errs)
	}
	b.wantLeft("faces/zoe/r-1/fatp_1/face_image-1.jpg")
}
