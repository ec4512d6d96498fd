#!/usr/bin/env bash
# A whole campaign on this machine: the sandbox simulates Kafka, S3 and the
# vendor; the consumer works against it; the producer publishes the manifest of
# testdata/demo and one record that can't be decoded, and watches until every
# request has its result. Fails when a result is missing or is not the expected
# one, when a call was charged twice, or when the consumer does not stop cleanly.
#
# Takes BIN, the folder of the binaries; `make demo` builds them first. Ports
# are free ones, so it can run beside anything.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=${BIN:-$PWD/bin}
demo=testdata/demo
campaign=demo-$(date +%s)
work=$(mktemp -d)
sandbox_pid='' consumer_pid=''

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '\ndemo: %s\n' "$*" >&2
  for log in sandbox consumer; do
    [[ -s $work/$log.log ]] && printf -- '-- end of the log of the %s\n%s\n' "$log" "$(tail -n 25 "$work/$log.log")" >&2
  done
  exit 1
}

# stop PID asks a child of ours to end and returns its exit status.
stop() {
  local status=0
  kill -TERM "$1" 2>/dev/null || true
  wait "$1" || status=$?
  return "$status"
}

cleanup() {
  [[ -z $consumer_pid ]] || stop "$consumer_pid" || true
  [[ -z $sandbox_pid ]] || stop "$sandbox_pid" || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# await FILE PID waits until the file is there, as long as the process lives.
await() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    [[ -e $1 ]] && return 0
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

say "sandbox: Kafka, S3 and the vendor"
free=127.0.0.1:0
"$bin/sandbox" --kafka $free --s3 $free --argos $free --admin $free --latency 200ms-400ms --limit 200 \
  --env-file "$work/sandbox.env" --ready-file "$work/ready" >"$work/sandbox.log" 2>&1 &
sandbox_pid=$!
await "$work/ready" "$sandbox_pid" || fail 'the sandbox did not start'
set -a
# shellcheck source=/dev/null
. "$work/sandbox.env"
# Whichever port is free: nobody probes this consumer.
REAUTH_OPS__LISTEN=$free
# A call whose answer was lost is looked for once it would have timed out, and
# half a margin later.
REAUTH_VENDORS__ARGOS__TIMEOUT=3s
REAUTH_LEDGER__MARGIN=4s
REAUTH_BREAKER__SLOW_CALL=3s
set +a

say "consumer"
"$bin/consumer" topics || fail 'the topics could not be created'
"$bin/consumer" run >"$work/consumer.log" 2>&1 &
consumer_pid=$!

say "producer: campaign $campaign"
"$bin/producer" publish --campaign "$campaign" "$demo/manifest.csv" || fail 'publishing the manifest'
"$bin/producer" publish --raw "$demo/undecodable.txt" --campaign "$campaign" || fail 'publishing the undecodable record'
timeout 180 "$bin/producer" watch --campaign "$campaign" --expect 1000 2>&1 | tee "$work/table" ||
  fail 'the campaign did not complete'
kill -0 "$consumer_pid" 2>/dev/null || fail 'the consumer ended by itself'

# The README beside the manifest says what must come out: one row per outcome
# in its first table, and how many calls are charged.
say 'as expected?'
checked=0
while read -r outcome count; do
  grep -Eq "^ *$outcome +$count( |$)" "$work/table" || fail "expected $count $outcome"
  checked=$((checked + 1))
done < <(awk '/^\| outcome \| rows \|/ { on = 1; next } on && !/^\|/ { exit } on && $4 ~ /^[0-9]+$/ { print $2, $4 }' "$demo/README.md")
((checked > 0)) || fail "no expected counts in $demo/README.md"
grep -Eq '^refused .* 1( |$)' "$work/table" || fail 'expected the undecodable record among the refused'
grep -Eq '^total +1000( |$)' "$work/table" || fail 'the table does not add up to 1000'
echo "$checked outcomes as expected, and the undecodable record is a dead letter: 1000 in all"

pid=$consumer_pid consumer_pid=''
stop "$pid" || fail "the consumer ended with status $?"
pid=$sandbox_pid sandbox_pid=''
stop "$pid" || fail "the sandbox ended with status $?"
summary=$(grep '^Argos:' "$work/sandbox.log") || fail 'the sandbox gave no summary'
charged=$(sed -nE 's/.*\b([0-9]+) authentications charged.*/\1/p' "$demo/README.md")
[[ $summary == *" $charged charged "* ]] || fail "expected $charged charged calls: $summary"
[[ $summary == *" 0 duplicates"* ]] || fail "calls were paid for twice: $summary"
echo "$summary"
printf '\ndemo: every request has its one result, and no call was paid for twice\n'
