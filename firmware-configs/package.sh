#!/usr/bin/env bash
# Builds one archive per architecture that needs nothing else on the box.
# usage: package.sh VERSION [ARCH]...      (amd64 arm64 armv7; into $DIST or dist/)
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: package.sh VERSION [ARCH]...}
shift
arches=${*:-amd64 arm64 armv7}
mkdir -p "${DIST:=dist}"
for arch in $arches; do
  case $arch in
    amd64) goarch=amd64 goarm= ;;
    arm64) goarch=arm64 goarm= ;;
    armv7) goarch=arm goarm=7 ;;
    *) echo "package.sh: unknown architecture $arch: amd64, arm64 or armv7" >&2; exit 2 ;;
  esac
  name=millwright-$version-linux-$arch
  dir=$DIST/$name
  rm -rf "$dir"
  mkdir -p "$dir"
  CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=$goarm \
    go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$dir/millwright" .
  cp -r firmware-configs/examples firmware-configs/systemd firmware-configs/brokers "$dir/"
  cp firmware-configs/swap "$dir/"
  cp README.md "$dir/"
  mkdir "$dir/docs" && cp docs/*.md docs/*.html docs/*.png "$dir/docs/"
  (cd "$dir" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
  tar -C "$DIST" --sort=name --owner=0 --group=0 --numeric-owner -czf "$DIST/$name.tar.gz" "$name"
  rm -rf "$dir"
  echo "$DIST/$name.tar.gz"
done
(cd "$DIST" && sha256sum "millwright-$version"-linux-*.tar.gz > SHA256SUMS)
