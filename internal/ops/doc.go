// Package ops is what the people and machines that run the service look at:
// probes, metrics, logs, the memory limit and the signals that stop it.
//
// # Probes
//
// /livez answers 200 unless the process is wedged and only a restart can help.
// An outage of Kafka, the object store or a vendor is no reason for a restart,
// so it never shows there. /readyz lists the conditions of being ready and
// answers 200 when every one that is not optional holds, 503 otherwise; no
// traffic depends on it, but a rollout waits for it. /metrics is what
// Prometheus scrapes, in its text format or as OpenMetrics.
//
// The listener has no log-in, so it shows nothing that needs one: no request
// id, no subject, no secret.
package ops
