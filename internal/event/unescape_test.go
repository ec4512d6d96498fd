package event

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestUnescapeReadsStringsAsEncodingJSONDoes(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0041`, `\u00e9`, `\u00E9`, `\ud83d\ude00`, `\uD83D`, `\udE00`, `\u0000`, `\uffff`, `\ufffd`, `u`, `é`, `😀`, "\ufffd"}),
		rapid.StringMatching(`[a-zA-Z0-9 :{}]{1,4}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		var raw string
		for range rapid.IntRange(0, 8).Draw(t, "pieces") {
			raw += piece.Draw(t, "piece")
		}
		var want string
		if err := json.Unmarshal([]byte(`"`+raw+`"`), &want); err != nil {
			t.Fatal(err)
		}
		got, _ := unescape([]byte(raw))
		if string(got) != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	})
}

func TestUnescapeTellsHalfSurrogates(t *testing.T) {
	for raw, want := range map[string]bool{
		`\ud83d\ude00`: true, `\ud83d`: false, `\ude00`: false, `\ud83dx`: false, `\ud83d\u0041`: false,
		`\ud83d\ud83d\ude00`: false, `\ude00\ud83d`: false, `\ufffd`: true, "\ufffd": true, `\ud83d\n`: false,
	} {
		if _, whole := unescape([]byte(raw)); whole != want {
			t.Errorf("%s: whole %t, want %t", raw, whole, want)
		}
	}
}
