// Package event is the wire contract of reauth: what a request, a result, an
// announcement and a dead letter look like as Kafka records, and which records
// are refused. It imports no Kafka client. The same contract is there for
// machines in Schemas (JSON Schema 2020-12 and AsyncAPI 3.0) and as examples
// in testdata/wire.
//
// # Requests
//
// A request is a JSON object, in one of three forms:
//
//   - plain: the value is the object, and none of the headers ce_specversion,
//     ce_id, ce_source and ce_type is there;
//   - CloudEvents 1.0, binary mode: those four headers are there, and the value
//     is the object;
//   - CloudEvents 1.0, structured mode: the header content-type starts with
//     application/cloudevents, and the value is a JSON event whose data (or
//     data_base64) is the object. Batches and other formats than JSON are
//     refused.
//
// ce_specversion is 1.0 and ce_type is faceauth.request.v1. Other attributes
// and headers are ignored, so are fields that are not in Request, and so is
// the record's key. The name of the header content-type is matched without
// case. A record of another event type is refused without a look at its data.
//
// Null and the empty string count as absent. request_id is required; which
// other fields are, depends on the vendor:
//
//	vendor       subject         and
//	argos        submission_id   selfie_key
//	faceki       submission_id   selfie_key
//	checkout     applicant_id    redirect_url
//	rekognition  submission_id   selfie_key, reference_key
//
// reference_key is the picture that the selfie is compared with; like the selfie
// it lies in the default bucket, or in the one of the allowed ones that
// reference_bucket names.
//
// The other of the two ids must be absent. Blanks around submission_id are
// taken off. Times are RFC 3339 in the years 1970 to 2999 and become UTC; a
// request without requested_at was asked for at its Kafka timestamp.
//
// # One reading only
//
// Two programs that read the same bytes must not see two subjects. JSON
// leaves room for that: encoding/json, for one, takes names without regard to
// case and lets the last of two equal names win. So Decode refuses, before it
// uses any value:
//
//   - a name that is there twice in one object, at any depth, in fields that
//     are not ours as well;
//   - a name that is not ours but equal to one of ours without regard to case,
//     in the envelope and in the request;
//   - a required ce_ header that is there twice or in another case, and
//     content types that disagree;
//   - half of a UTF-16 surrogate pair in a field of ours, text that is not
//     UTF-8, and anything after the object;
//   - a value of more than 64 KiB.
//
// A refusal is an InvalidError. It names every fault at once, with a code from
// a fixed list, what to do, and bounds. It never repeats a value or a name
// from the record, so it can be logged and put into headers.
//
// # Results and announcements
//
// Both are CloudEvents in binary mode on the results topic, told apart by
// ce_type (TypeOf). Key and ce_subject are the request id, ce_time is
// completed_at or announced_at, and the partition is the request's own.
//
// Delivery is at least once. ce_id is a UUID (version 5) over the request id
// and the revision, or the attempt: a repeat has the same one, a correction
// has another and a higher revision. The same Result makes the same record.
//
// Readers ignore fields that they do not know, and are ready for new reasons
// and vendors. What changes the meaning of a field gets a new type.
//
// # Dead letters
//
// A dead letter is the original record, with key, value and headers as they
// were, on the partition of the same number, and headers of ours after the
// original's. They begin with reauth-error-class: the last header of that name
// is where the original ends. The names __dlq.errors.* are those of Kafka's own
// dead-letter queue for share groups (KIP-1191).
//
// The origin (__dlq.errors.topic, .partition, .offset) is where the record was
// first read. Redrive keeps it in the record that it sends back, and a record
// that has one gets no second one: the first origin wins. Since upstream may
// write such headers too, the origin is a hint, and Redrive sends nothing to a
// topic that its caller has not named. How often a record was sent back stands
// in its header reauth-redrive.
package event
