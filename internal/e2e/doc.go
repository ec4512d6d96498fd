// Package e2e holds the end-to-end tests: real consumer processes between Kafka
// and the simulated store and vendor, through everything that may befall them.
// It has no code but tests.
//
// # The two places where it runs
//
// As part of all tests, on a Kafka in memory, with small campaigns and short
// faults; -short leaves out what takes long even so. And, with
// REAUTH_E2E_BROKERS set to the brokers of a cluster, on a real Apache Kafka, in
// full size:
//
//	REAUTH_E2E_BROKERS   host:port,…; each test makes topics of its own there
//	REAUTH_E2E_CLUSTER   folder of a cluster that internal/tools/kafka/cluster.sh
//	                     started: tests may kill, freeze and revive its brokers;
//	                     without it they are skipped
//	REAUTH_E2E_CONSUMER  a consumer to test in place of the one built from here,
//	                     such as one with a mechanism taken out
//	REAUTH_E2E_LOGS      folder that keeps the consumers' logs
//
// `make test-kafka` starts a cluster, sets the first two and stops it.
//
// # The audit
//
// Every scenario ends with the same questions (audit_test.go), to Kafka and the
// vendor, not to the consumer: has each request one result event, the one that
// was to be expected; was it charged no more than once; is nothing in the
// dead letters that does not belong there; did the group, as often as it was
// looked at, never commit past a record that was not done; and is it at the end.
package e2e
