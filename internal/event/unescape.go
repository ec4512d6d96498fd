package event

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape resolves the escapes in raw, which stands between the quotes of a
// valid JSON string. Half of a surrogate pair becomes U+FFFD, as in
// encoding/json, and whole is false then.
func unescape(raw []byte) (text []byte, whole bool) {
	whole = true
	text = make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			text = append(text, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			text = append(text, '\b')
		case 'f':
			text = append(text, '\f')
		case 'n':
			text = append(text, '\n')
		case 'r':
			text = append(text, '\r')
		case 't':
			text = append(text, '\t')
		case 'u':
			r := hexRune(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if pair := utf16.DecodeRune(r, escapedRune(raw[i+1:])); pair != utf8.RuneError {
					r = pair
					i += len(`\uDC00`)
				} else {
					r, whole = utf8.RuneError, false
				}
			}
			text = utf8.AppendRune(text, r)
		default: // A quote, a backslash or a slash stands for itself.
			text = append(text, raw[i])
		}
	}
	return text, whole
}

// escapedRune returns the UTF-16 unit that a \u escape at the start of raw
// stands for, 0 if there is none.
func escapedRune(raw []byte) rune {
	if len(raw) < len(`\u0000`) || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	return hexRune(raw[2:])
}

// hexRune reads four hexadecimal digits.
func hexRune(digits []byte) rune {
	var r rune
	for _, d := range digits[:4] {
		r <<= 4
		switch {
		case d <= '9':
			r += rune(d - '0')
		default:
			r += rune(d|0x20-'a') + 10
		}
	}
	return r
}
