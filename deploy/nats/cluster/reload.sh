#!/bin/sh
# Beside each server: tells it when its certificate or its configuration has been renewed, since it does not look itself.
#   reload.sh PID_FILE SECONDS FILE…
set -eu
pid_file=$1
seconds=$2
shift 2
seen=$(cat "$@" | sha256sum)
while sleep "$seconds"; do
  now=$(cat "$@" | sha256sum)
  [ "$now" = "$seen" ] && continue
  nats-server --signal "reload=$pid_file" && seen=$now
done
