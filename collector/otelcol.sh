#!/bin/sh
# Finds a collector, or builds the one that builder.yaml describes; prints its path last.
#
# Looked for in this order: $OTELKIT_OTELCOL; otelcol-contrib or otelcol on PATH; what was built
# before (kept outside the tree, by the manifest's hash); a build, which needs Go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
manifest="$here/builder.yaml"

if [ -n "${OTELKIT_OTELCOL:-}" ]; then
  [ -x "$OTELKIT_OTELCOL" ] || { echo "OTELKIT_OTELCOL=$OTELKIT_OTELCOL is no program" >&2; exit 1; }
  echo "$OTELKIT_OTELCOL"
  exit
fi
command -v otelcol-contrib || command -v otelcol && exit

cache="${XDG_CACHE_HOME:-$HOME/.cache}/otelkit"
otelcol="$cache/otelcol-$(sha256sum "$manifest" | cut -c1-12)"
if [ -x "$otelcol" ]; then
  echo "$otelcol"
  exit
fi
[ "${1:-}" != --find ] || exit 1

command -v go >/dev/null || PATH="$PATH:/usr/local/go/bin"  # where Go's own archive puts it
command -v go >/dev/null || {
  echo "No collector: put otelcol-contrib on PATH, set OTELKIT_OTELCOL, or install Go to build one" >&2
  exit 1
}
version=$(sed -n 's/^  version: //p' "$manifest")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "building the collector v$version; on two cores this takes up to half an hour" >&2
cd "$work"
# The builder also downloads what other operating systems need, and takes a module that it cannot get
# for a failure. Whether anything is missing here is for go build to say.
go run "go.opentelemetry.io/collector/cmd/builder@v$version" --config "$manifest" \
  --skip-compilation >&2 || true
cd otelcol-build
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$work/otelcol" . >&2
mkdir -p "$cache"
# Under a name of its own first: whoever looks meanwhile finds nothing or all of it.
mv "$work/otelcol" "$otelcol.$$"
mv "$otelcol.$$" "$otelcol"
echo "$otelcol"
