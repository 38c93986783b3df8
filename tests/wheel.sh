#!/bin/sh
# Builds the wheel, installs it with its extra `demo` into a fresh environment outside the tree, and
# runs what a user runs first. Usage: wheel.sh PYTHON_THAT_BUILDS
set -eu
builder=$(realpath -s "$1")
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$builder" -m build --wheel --no-isolation --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 ||
  { cat "$work/build.log"; exit 1; }
"${PYTHON:-python3}" -m venv "$work/env"
wheel=$(ls "$work"/dist/*.whl)

cd "$work"
# Without the lock, and with the pip that the environment came with: what a user types.
env/bin/python -m pip install --quiet --disable-pip-version-check "$wheel"
env/bin/python - <<'PY'
import sys
import otelkit

assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")], "the SDK is loaded"

@otelkit.traced_workflow
def work() -> int:
    return 1

with otelkit.setup(service_name="smoke", endpoint="http://127.0.0.1:9") as telemetry:
    assert work() == 1
    assert telemetry.status()["traces"]["state"] == "created"
print("the bare wheel works")
PY
env/bin/otelkit demo 2>"$work/refused" && { echo "demo ran without its extra"; exit 1; }
grep -q 'pip install "otelkit\[demo\]"' "$work/refused" || { cat "$work/refused"; exit 1; }

env/bin/python -m pip install --quiet --disable-pip-version-check --constraint "$root/requirements.lock" "$wheel[demo]"
env/bin/otelkit demo
env/bin/python -m otelkit view --help >/dev/null
env/bin/otelkit stack export "$work/stack" >/dev/null
(cd "$root" && find collector -type f -not -path '*/__pycache__/*' | sort) >"$work/expected"
(cd "$work/stack" && find collector -type f -not -name .exported | sort) | diff "$work/expected" -
env/bin/otelkit stack check "$work/stack" >/dev/null
echo "the wheel works"
