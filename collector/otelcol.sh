#!/bin/sh
# Finds a collector, or builds the one that builder.yaml describes; prints its path last.
#
# Looked for in this order: $OTELKIT_OTELCOL; otelcol-contrib or otelcol on PATH; what was built
# before (kept outside the tree, by the manifest's hash); a build, which needs Go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
manifest="$here/builder.yaml"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/otelkit"
otelcol="$cache/otelcol-$(sha256sum "$manifest" | cut -c1-12)"
. "$here/find.sh"
find_program "${1:-}" OTELKIT_OTELCOL "$otelcol" otelcol-contrib otelcol

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
