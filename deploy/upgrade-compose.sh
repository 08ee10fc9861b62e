#!/bin/sh
# Upgrades the replicas of docker-compose.yml without a gap: as many new ones start beside the old ones, and these go, one by
# one, when the load balancer uses the new ones. If that does not come about, the new ones go, and nothing has changed.
#   deploy/upgrade-compose.sh               builds the image first
#   deploy/upgrade-compose.sh --no-build    takes the image of that name that is there
# UPGRADE_TIMEOUT is how many seconds each step may take.
set -eu
cd "$(dirname "$0")/.."

replicas() { docker compose ps -q metadata-center; }

# Of how many replicas the load balancer has found that they are ready.
used() { docker compose exec -T load-balancer wget -qO- 'http://127.0.0.1:8404/;csv' | grep -c '^replicas,replica.*,UP,' || true; }

is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }
are_used() { [ "$(used)" -eq "$1" ]; }

# Whether what the arguments ask comes true in time.
await() {
  end=$(($(date +%s) + ${UPGRADE_TIMEOUT:-120}))
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 1
  done
}

old=$(replicas)
count=$(echo "$old" | wc -w)
[ "$count" -gt 0 ] || { echo 'No replica runs: docker compose up -d' >&2; exit 1; }
now=$(used)

[ "${1-}" = --no-build ] || docker compose build metadata-center
docker compose up -d --no-build --no-deps --no-recreate --scale "metadata-center=$((2 * count))" metadata-center
new=$(replicas | grep -vF "$old")

start_new() {
  for id in $new; do await is_healthy "$id" || return 1; done
  now=$((now + count))
  await are_used "$now"
}
if ! start_new; then
  echo 'The new replicas did not become ready; what they said last:' >&2
  for id in $new; do docker logs --tail 5 "$id" >&2; done
  docker rm -f $new >/dev/null
  exit 1
fi

for id in $old; do
  docker stop "$id" >/dev/null
  docker rm "$id" >/dev/null
  now=$((now - 1))
  await are_used "$now"
done
echo "$count replicas are new."
