#!/bin/sh
# Finds Jaeger 2, or builds it with Go for the tests (without its page); prints its path last.
#
# Looked for in this order: $OTELKIT_JAEGER; jaeger on PATH; what was built before; a build.
set -eu
# The newest version that can be had as a module. It is Jaeger 2.13: both are made of one commit.
version=v1.76.0

cache="${XDG_CACHE_HOME:-$HOME/.cache}/otelkit"
jaeger="$cache/jaeger-$version"
. "$(dirname "$0")/../find.sh"
find_program "${1:-}" OTELKIT_JAEGER "$jaeger" jaeger

echo "building Jaeger; on two cores this takes up to fifteen minutes" >&2
mkdir -p "$cache"
cd "$cache"
folder=$(go mod download -json "github.com/jaegertracing/jaeger@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cd "$folder"
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$jaeger.$$" ./cmd/jaeger >&2
mv "$jaeger.$$" "$jaeger"
echo "$jaeger"
