package storage

import "bytes"

// JPEG markers, from ITU-T T.81, table B.1: the byte after 0xff.
const (
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerEOI  = 0xd9
	markerSOS  = 0xda
)

// jpegEnds reports whether the JPEG has an end: an EOI marker somewhere after
// its first scan has begun. Before that, an EXIF thumbnail has one of its own;
// inside a scan none can occur, as 0xff is stuffed. It is looked for from the
// end, as what follows it (motion photos, depth maps, padding) is short or
// missing as a rule.
func jpegEnds(content *buffer) bool {
	scan, ok := firstScan(content)
	return ok && lastEOI(content) >= scan
}

// firstScan returns the offset behind the header of the first SOS segment. It
// is as lenient as image/jpeg and libjpeg: stray bytes between segments and
// fill bytes before markers are skipped.
func firstScan(content *buffer) (offset int64, ok bool) {
	var header [4]byte
	for offset = 2; ; {
		if n, _ := content.ReadAt(header[:], offset); n < len(header) {
			return 0, false
		}
		marker := header[1]
		switch {
		case header[0] != 0xff, marker == 0xff:
			offset++
		case marker == 0, marker >= markerRST0 && marker <= markerRST7:
			offset += 2
		case marker == markerEOI:
			return 0, false
		default:
			offset += 2 + int64(header[2])<<8 + int64(header[3])
			if marker == markerSOS {
				return offset, true
			}
		}
	}
}

// lastEOI returns the offset of the last EOI marker, or -1.
func lastEOI(content *buffer) int64 {
	eoi := []byte{0xff, markerEOI}
	var next byte // the first byte of the chunk behind the one looked at
	for i := len(content.chunks) - 1; i >= 0; i-- {
		start := int64(i) * chunkSize
		part := content.chunks[i][:min(chunkSize, content.size-start)]
		if part[len(part)-1] == eoi[0] && next == eoi[1] {
			return start + int64(len(part)) - 1
		}
		if at := bytes.LastIndex(part, eoi); at >= 0 {
			return start + int64(at)
		}
		next = part[0]
	}
	return -1
}
