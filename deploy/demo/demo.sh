#!/usr/bin/env bash
# A whole campaign on this machine: the sandbox simulates Kafka, S3 and the four
# vendors, with the persons who are sent a link; two consumers work against it;
# the producer publishes the manifest of testdata/demo and one record that can't
# be decoded, and watches until every request has its result. Fails when any
# number of the README there is not what comes out: results by vendor, outcome
# and reason, corrections, and what was charged, or charged twice; and when a
# vendor was called beyond its limit, a forged webhook was believed, or a consumer
# does not stop cleanly.
#
# Takes BIN, the folder of the binaries; `make demo` builds them first. Ports
# are free ones, so it can run beside anything.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=${BIN:-$PWD/bin}
demo=testdata/demo
campaign=demo-$(date +%s)
work=$(mktemp -d)
sandbox_pid='' consumer_pids=()

say() { printf '\n== %s\n' "$*"; }

fail() {
  local log
  printf '\ndemo: %s\n' "$*" >&2
  for log in "$work"/*.log; do
    [[ -s $log ]] && printf -- '-- end of %s\n%s\n' "${log##*/}" "$(tail -n 25 "$log")" >&2
  done
  exit 1
}

# stop PID… asks children of ours to end, all at once, and returns the exit status
# of one that failed.
stop() {
  local pid status=0
  kill -TERM "$@" 2>/dev/null || true
  for pid; do wait "$pid" || status=$?; done
  return "$status"
}

cleanup() {
  stop ${consumer_pids[@]+"${consumer_pids[@]}"} || true
  stop ${sandbox_pid:+"$sandbox_pid"} || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# await PID COMMAND… repeats the command until it is well, for half a minute at
# most and as long as the process lives.
await() {
  local pid=$1 tries
  shift
  for ((tries = 0; tries < 300; tries++)); do
    "$@" && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# rows HEADER prints the rows of the README's table with that header, without bars.
rows() {
  awk -v header="| $1 |" '$0 == header { on = 1; getline; next } on && !/^\|/ { exit } on { gsub(/[ |]+/, " "); print substr($0, 2, length($0) - 2) }' "$demo/README.md"
}

# shown prints what the producer's table says, one number with its names a line.
shown() {
  awk '
    /^outcome / { part = "outcomes"; next }
    /^vendor / { part = "vendors"; next }
    /^campaign / { part = "facts"; next }
    part == "outcomes" && /^[^ ]/ { outcome = $1; print outcome, $(NF - 2) }
    part == "outcomes" && /^ / { print outcome, $1, $(NF - 2) }
    part == "vendors" && $2 != "all" && NF { print $1, $2, $3 }
    /^(repeated results|dead letters|not final|unreadable events) / { print $1, $2, $3 }
    /^(corrected|waiting|unexpected) / { print $1, $2 }
  ' "$work/table" | sort
}

# told prints what the README says that the table is to show.
told() {
  {
    rows 'vendor | outcome | rows'
    rows 'outcome | rows'
    rows 'outcome | reasons | rows'
    rows 'count | number'
  } | sort
}

# counted NAME prints what the README says of how many there are in all.
counted() { rows 'count | number' | sed -n "s/^$1 //p"; }
total=$(counted total) audits=$(counted corrected)

say "sandbox: Kafka, S3, and four vendors"
free=127.0.0.1:0
"$bin/sandbox" --kafka $free --s3 $free --argos $free --faceki $free --checkout $free --rekognition $free --admin $free \
  --limit 200 --latency 200ms-400ms --faceki-limit 120 --faceki-latency 200ms-400ms --rekognition-limit 80 --rekognition-latency 150ms-300ms \
  --checkout-reads 300 --checkout-writes 300 --checkout-latency 20ms-60ms --checkout-webhook-key demo-signature-key \
  --checkout-link 3s --checkout-think 200ms-800ms --checkout-capture 200ms-600ms --checkout-checks 200ms-600ms --checkout-audit 5s \
  --env-file "$work/sandbox.env" --ready-file "$work/ready" >"$work/sandbox.log" 2>&1 &
sandbox_pid=$!
await "$sandbox_pid" test -e "$work/ready" || fail 'the sandbox did not start'
set -a
# shellcheck source=/dev/null
. "$work/sandbox.env"
# Whichever port is free: nobody probes these consumers.
REAUTH_OPS__LISTEN=$free
REAUTH_LOG__FORMAT=text
# A call whose answer was lost is looked for, or repeated, once it would have
# timed out, and half a margin later. Where nobody can be asked, one that only
# took too long is paid for twice: those vendors have more time.
REAUTH_VENDORS__ARGOS__TIMEOUT=5s
REAUTH_VENDORS__CHECKOUT__TIMEOUT=5s
REAUTH_VENDORS__FACEKI__TIMEOUT=8s
REAUTH_VENDORS__REKOGNITION__TIMEOUT=8s
REAUTH_BREAKER__SLOW_CALL=5s
REAUTH_LEDGER__MARGIN=4s
REAUTH_KAFKA__HEARTBEAT=500ms
# A busy machine delays calls by tenths of a second, so that they arrive closer
# together than they were made.
REAUTH_VENDORS__ARGOS__HEADROOM=20%
REAUTH_VENDORS__FACEKI__HEADROOM=20%
REAUTH_VENDORS__REKOGNITION__HEADROOM=20%
# Links live as long as the vendor's, and whoever opens none is not waited for
# much longer.
REAUTH_VENDORS__CHECKOUT__LINK_LIFE=3s
REAUTH_VENDORS__CHECKOUT__POLL_INITIAL=2s
REAUTH_VENDORS__CHECKOUT__POLL_MAX=4s
REAUTH_VENDORS__CHECKOUT__WEBHOOK__LISTEN=$free
REAUTH_VENDORS__CHECKOUT__WEBHOOK__SIGNATURE_KEY=demo-signature-key
set +a

say "two consumers"
"$bin/consumer" topics | tee "$work/topics" || fail 'the topics could not be created'
! grep -q ' differs ' "$work/topics" || fail 'the sandbox made a topic unlike those of the consumer'
touch "$work"/consumer-{1,2}.log
for n in 1 2; do
  "$bin/consumer" run >"$work/consumer-$n.log" 2>&1 &
  consumer_pids+=($!)
done

# The second consumer takes half of the shards over from the first, if it is late.
# That is waited for: what is refused or claimed just then may be so twice.
shared() {
  local log
  for log in "$work"/consumer-{1,2}.log; do
    (($(grep -c 'msg="shard works"' "$log") >= 12 / 2)) || return 1
  done
}
await "${consumer_pids[0]}" shared || fail 'the consumers did not share the shards'

# Checkout.com tells the first consumer, whoever has the request, and every tenth
# event comes with forged ones that claim an approval.
news='msg="listening for news"'
webhook=$(sed -nE "s/.*$news address=([^ ]+).*/\1/p" "$work/consumer-1.log")
knobs="{\"checkout\":{\"webhook\":{\"url\":\"http://$webhook/webhooks/checkout\",\"forged_rate\":0.1,\"unsigned_rate\":0.1}}}"
admin=$(sed 's,http://,,' "$work/ready")
exec 3<>"/dev/tcp/${admin%:*}/${admin##*:}"
printf 'PUT /knobs HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "$admin" ${#knobs} "$knobs" >&3
read -r answer <&3 || answer=nothing
exec 3>&-
[[ $answer == *' 200 '* ]] || fail "the sandbox did not take the webhook's address: $answer"

say "producer: campaign $campaign"
"$bin/producer" publish --campaign "$campaign" "$demo/manifest.csv" 2>&1 || fail 'publishing the manifest'
"$bin/producer" publish --raw "$demo/undecodable.txt" --campaign "$campaign" 2>&1 || fail 'publishing the undecodable record'
timeout 180 "$bin/producer" watch --campaign "$campaign" --expect "$total" 2>&1 | tee "$work/table" ||
  fail 'the campaign did not complete'
for pid in "${consumer_pids[@]}"; do
  kill -0 "$pid" 2>/dev/null || fail 'a consumer ended by itself'
done

# An audit turns a verdict round some seconds after it; on a slow day the last of
# them may come after the last result.
for ((tries = 0; tries < 60; tries++)); do
  grep -Eq "^corrected +$audits " "$work/table" && break
  sleep 1
  timeout 180 "$bin/producer" watch --campaign "$campaign" --expect "$total" >"$work/table" 2>&1 || fail 'the campaign is no longer complete'
done

say 'as expected?'
told >"$work/told"
shown >"$work/shown"
diff -u "$work/told" "$work/shown" >"$work/diff" || fail "the table is not what $demo/README.md says:
$(cat "$work/diff")"
echo "all $(wc -l <"$work/told") numbers are: by vendor and outcome, by reason, $audits corrected by an audit, and the undecodable record a dead letter"

pids=("${consumer_pids[@]}") consumer_pids=()
stop "${pids[@]}" || fail "a consumer ended with status $?"
pid=$sandbox_pid sandbox_pid=''
stop "$pid" || fail "the sandbox ended with status $?"

# charged VENDOR NUMBER AGAIN fails unless the sandbox's line about the vendor says
# so. Checkout.com doubles no capture, but what was left behind is a double.
charged() {
  local name line doubles="$3 duplicates"
  case $1 in
    argos) name=Argos ;;
    faceki) name=FACEKI ;;
    checkout) name=Checkout.com doubles="$left duplicates, $left unattempted" ;;
    rekognition) name='Amazon Rekognition' ;;
  esac
  line=$(grep "^$name: " "$work/sandbox.log") || fail "the sandbox says nothing of $name"
  echo "$line"
  [[ $line == *" $2 charged"* ]] || fail "expected $2 charged calls"
  [[ $line == *" $doubles,"* ]] || fail "expected $doubles"
  [[ $line == *' 0 refused,'* ]] || fail "calls beyond the limit of $name"
}
left=$(rows 'left behind at Checkout.com')
again=0
while read -r vendor number doubles; do
  charged "$vendor" "$number" "$doubles"
  again=$((again + doubles))
done < <(rows 'vendor | charged | paid for again')
((again > 0)) || fail "no charges in $demo/README.md"
line=$(grep '^Checkout.com: ' "$work/sandbox.log")
[[ $line == *', 0 of them while one lived,'* ]] || fail 'a link was taken away from a person who might have opened it'
[[ $line =~ ' '([0-9]+)' fakes, 0 taken'$ ]] && ((BASH_REMATCH[1] > 0)) || fail 'forged webhooks were believed, or there were none'

printf '\ndemo: every request has its one result. No call was paid for twice, but %d whose answers were\n' "$again"
printf 'lost on purpose, at vendors that cannot be asked; no limit was broken, no forged webhook believed\n'
