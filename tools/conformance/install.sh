#!/bin/sh
# The runtimes beside V8: wasm3 and wasmtime into .venv, wasmi and wazero into build/conformance. Brings what is missing and leaves
# the rest; a toolchain that is not there is named, and so are the tests that then miss its runtime.
set -eu
cd "$(dirname "$0")"
root=../..
has() { command -v "$1" >/dev/null || { echo "no $1: $2 stays out" >&2; false; }; }

if has gcc wasm3; then
  [ -x $root/.venv/bin/python ] || python3 -m venv --clear $root/.venv
  $root/.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
fi
if has cargo wasmi; then
  cargo build --quiet --locked --release --manifest-path wasmi/Cargo.toml --target-dir $root/build/conformance/wasmi
fi
if has go wazero; then
  (cd wazero && go build -trimpath -o ../$root/build/conformance/wazero .)
fi
