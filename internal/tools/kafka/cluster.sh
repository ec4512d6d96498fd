#!/usr/bin/env bash
# A cluster of three Apache Kafka brokers in KRaft mode on loopback, each broker
# and controller at once, from the jars that Maven resolves from pom.xml beside
# this file. For tests: nothing is secured, and everything is in one folder.
#
#   cluster.sh start DIR       make a new cluster in DIR and start it; prints its brokers
#   cluster.sh stop DIR        end every broker; the logs stay in DIR
#   cluster.sh kill DIR N...   kill -9 those brokers (1 to 3)
#   cluster.sh revive DIR N... start killed brokers again on their data
#   cluster.sh freeze DIR      stop every broker's process where it is: a black hole
#   cluster.sh thaw DIR        let them go on
#
# Needs Java 17 or newer and Maven. KAFKA_PORT is the first of the ports taken,
# 29092 by default: three for clients, three for the controllers 10 further, and
# three more for clients 20 further, who are told to come back to the same ports
# of 127.0.0.2: there a test may put proxies. DIR/proxied lists those addresses.
set -euo pipefail

nodes=(1 2 3)
first_port=${KAFKA_PORT:-29092}
here=$(cd "$(dirname "$0")" && pwd)

die() { echo "cluster.sh: $*" >&2; exit 1; }

client_port() { echo $((first_port + $1 - 1)); }
proxied_port() { echo $((first_port + 20 + $1 - 1)); }
controller_port() { echo $((first_port + 10 + $1 - 1)); }

# joined FUNCTION PREFIX lists an address for each node, separated by commas.
joined() {
  local list="" node
  for node in "${nodes[@]}"; do
    list+="${list:+,}${2:+$node@}127.0.0.1:$("$1" "$node")"
  done
  echo "$list"
}

# configure NODE writes its settings. Timeouts are those that brokers come with;
# what differs makes small topics on one machine start fast, lets tests ask for
# short sessions, and leaves leaders and coordinators where a test put them.
configure() {
  cat >"$dir/$1.properties" <<PROPERTIES
node.id=$1
process.roles=broker,controller
controller.quorum.voters=$(joined controller_port id)
listeners=CLIENT://127.0.0.1:$(client_port "$1"),PROXIED://127.0.0.1:$(proxied_port "$1"),CONTROLLER://127.0.0.1:$(controller_port "$1")
advertised.listeners=CLIENT://127.0.0.1:$(client_port "$1"),PROXIED://127.0.0.2:$(proxied_port "$1")
listener.security.protocol.map=CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs=$dir/data-$1
default.replication.factor=3
min.insync.replicas=2
auto.create.topics.enable=false
unclean.leader.election.enable=false
auto.leader.rebalance.enable=false
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=500
num.network.threads=2
num.io.threads=4
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}

logging=(
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  -Dorg.slf4j.simpleLogger.showDateTime=true
  -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS
)

java_run() { java "${logging[@]}" -cp "$(cat "$dir/classpath")" "$@"; }

# launch NODE starts its process in the background.
launch() {
  # In a session of its own: a broker is stopped by its id, not by the signals
  # of the terminal.
  setsid java -Xms128m -Xmx400m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${logging[@]}" \
    -cp "$(cat "$dir/classpath")" kafka.Kafka "$dir/$1.properties" \
    </dev/null >>"$dir/broker-$1.log" 2>&1 &
  echo $! >"$dir/$1.pid"
}

# alive NODE: is its process there, and truly its?
alive() {
  [[ -f $dir/$1.pid ]] && { tr '\0' ' ' <"/proc/$(cat "$dir/$1.pid")/cmdline"; } 2>/dev/null | grep -qF "kafka.Kafka $dir/$1.properties"
}

signal() {
  local node=$1 name=$2
  alive "$node" && kill "-$name" "$(cat "$dir/$node.pid")"
}

# reachable NODE waits until the broker takes connections. Right after its launch
# the process is not java yet, so alive cannot be asked.
reachable() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    (: >"/dev/tcp/127.0.0.1/$(client_port "$1")") 2>/dev/null && return
    kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null || { tail -n 30 "$dir/broker-$1.log" >&2; die "broker $1 ended"; }
    sleep 0.1
  done
  die "broker $1 does not answer; see $dir/broker-$1.log"
}

gone() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    alive "$1" || return 0
    sleep 0.1
  done
  return 1
}

start() {
  [[ ! -e $dir/classpath ]] || die "there is a cluster in $dir already"
  mkdir -p "$dir"
  mvn -q -B -f "$here/pom.xml" dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$dir/classpath" >"$dir/maven.log" 2>&1 ||
    { cat "$dir/maven.log" >&2; die "Maven does not resolve the brokers' jars"; }
  local id node
  id=$(java_run kafka.tools.StorageTool random-uuid 2>>"$dir/format.log")
  for node in "${nodes[@]}"; do
    configure "$node"
    java_run kafka.tools.StorageTool format --cluster-id "$id" --config "$dir/$node.properties" >>"$dir/format.log" 2>&1 ||
      { cat "$dir/format.log" >&2; die "formatting the data of broker $node"; }
  done
  for node in "${nodes[@]}"; do launch "$node"; done
  for node in "${nodes[@]}"; do reachable "$node"; done
  joined proxied_port "" | sed 's/127\.0\.0\.1/127.0.0.2/g' >"$dir/proxied"
  joined client_port ""
}

stop() {
  local node
  for node in "${nodes[@]}"; do
    signal "$node" CONT || true
    signal "$node" TERM || true
  done
  for node in "${nodes[@]}"; do
    gone "$node" || signal "$node" KILL || true
  done
}

(($# >= 2)) || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
command=$1 dir=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
case $command in
  start) start ;;
  stop) stop ;;
  kill) for node in "$@"; do signal "$node" KILL && gone "$node"; done ;;
  revive)
    for node in "$@"; do alive "$node" || launch "$node"; done
    for node in "$@"; do reachable "$node"; done
    ;;
  freeze) for node in "${nodes[@]}"; do signal "$node" STOP; done ;;
  thaw) for node in "${nodes[@]}"; do signal "$node" CONT; done ;;
  *) die "no such command: $command" ;;
esac
