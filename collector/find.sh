# Read by otelcol.sh and jaeger/jaeger.sh.

# find_program ASKED VARIABLE BUILT NAME...: prints where the program is and ends, if there is one.
# Looked for in this order: what $VARIABLE names; a NAME on PATH; BUILT, which is made by a build.
# Returns where it is to be built, with Go, which is there. ASKED is --find where no build is wanted.
find_program() {
  asked=$1 variable=$2 built=$3
  shift 3
  eval "named=\${$variable:-}"
  if [ -n "$named" ]; then
    [ -x "$named" ] || { echo "$variable=$named is no program" >&2; exit 1; }
    echo "$named"
    exit
  fi
  for name; do
    command -v "$name" && exit
  done
  if [ -x "$built" ]; then
    echo "$built"
    exit
  fi
  [ "$asked" != --find ] || exit 1
  command -v go >/dev/null || PATH="$PATH:/usr/local/go/bin"  # where Go's own archive puts it
  command -v go >/dev/null || {
    echo "No $1: put it on PATH, set $variable, or install Go to build one" >&2
    exit 1
  }
}
