// Package campaign reads manifests, keeps account of a campaign (the requests
// that were published together under one campaign id), and says which dead
// letters may be sent back. It knows nothing of Kafka but the form of a record,
// so all of it can be tested without a broker.
//
// # Manifests
//
// A manifest is a CSV file with a header row of request field names, or NDJSON:
// one request object on each line. Either is UTF-8, with or without a byte order
// mark, and lines end in LF or CRLF. Empty lines are skipped; all others are
// rows, numbered from 1 without the header, faulty rows included. A row is at
// most [event.MaxRequestBytes] long, so a manifest of any size is read in
// constant memory, but for 16 bytes per request id, which find duplicates.
//
//   - CSV follows RFC 4180: fields may be quoted, and a quoted field may go on
//     over several lines. A quote that is never closed spoils the row that it
//     stands in and no other.
//   - An empty CSV field, and null or "" in NDJSON, mean that the field is
//     absent.
//   - A row without a vendor or not_after gets those of [Options], if any.
//   - A row without a request_id gets one by [RequestID]; one without a
//     campaign_id gets [Options].Campaign, and a different one is a fault.
//
// Whether a row is a request is for [event.Decode] to say: the same rules as
// the consumer's. Every fault of every row is reported, with its line.
//
// # Account
//
// [Progress] is fed with the records of the topics, in any order and however
// often each, and tells what became of each request:
//
//	           ┌──────────────── result ───────────────┐
//	           │                                       ▼
//	missing ───┴── dead letter (refused) ── result ── answered ──┐
//	                                                   ▲         │ higher revision,
//	                                                   └─────────┘ or a repeat
//
// A request is ended when it is answered or refused. A refused one never
// became a request for the consumer: its dead letter is all there is.
//
// # Sending dead letters back
//
// A record keeps its first origin in its headers and counts how often it was
// sent back, so origin and number say which trip a record is on. [RedriveGuard]
// sees the trips that the topics of requests hold and plans none of them again,
// nor more of one record than are allowed.
package campaign
