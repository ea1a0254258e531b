#!/bin/sh
# The runtimes beside V8: wasm3 and wasmtime into .venv; wasmi, wazero and WAMR into build/conformance. Brings what is missing and
# leaves the rest; a toolchain that is not there is named, and so are the tests that then miss its runtime.
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
  (cd wazero && go build -trimpath -buildvcs=false -o ../$root/build/conformance/wazero .)
fi
if has cmake WAMR && has cargo WAMR; then
  $root/examples/firmware/fetch-wamr.sh
  into=$root/build/conformance/wamr
  mkdir -p $into
  {
    cmake -S wamr -B $into -DCMAKE_BUILD_TYPE=Release -DWAMR="$(cd $root && pwd)/examples/firmware/build/wamr" \
      -DVERSION="2021 (wamr-sys 0.1.1)" && cmake --build $into
  } >$into/log 2>&1 || { cat $into/log >&2; false; }
fi
