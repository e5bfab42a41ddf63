#!/usr/bin/env bash
# Clones this repository into an empty folder and measures, with empty module,
# build and package caches, how long `make run` takes until the page answers.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
go=$(command -v go)
cleanup() {
  [ -z "${run:-}" ] || kill -INT -- "-$run" 2>/dev/null || true
  sleep 2
  chmod -R u+w "$dir" && rm -rf "$dir"
}
trap cleanup EXIT
export GOMODCACHE=$dir/mod GOCACHE=$dir/cache npm_config_cache=$dir/npm
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
begin=$(date +%s.%N)
git clone -q . "$dir/clone"
cd "$dir/clone"
setsid make run ARGS="--no-login --http 127.0.0.1:$port" >"$dir/log" 2>&1 &
run=$!
for _ in $(seq 1800); do
  if curl -sf "http://127.0.0.1:$port/" >"$dir/page" 2>/dev/null && grep -q '<script' "$dir/page"; then
    awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "FIGURE line.cold_start_s %.0f s\n", b - a }'
    exit 0
  fi
  kill -0 "$run" 2>/dev/null || { tail -20 "$dir/log" >&2; echo "make run ended" >&2; exit 1; }
  sleep 1
done
tail -20 "$dir/log" >&2
echo "no page within 30 minutes" >&2
exit 1
