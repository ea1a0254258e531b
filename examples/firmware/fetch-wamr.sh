#!/bin/sh
# WAMR's C sources, of early 2021, into build/wamr: the crate wamr-sys carries them. Does nothing where they are there.
set -eu
cd "$(dirname "$0")"
into=build/wamr
[ ! -f $into/build-scripts/runtime_lib.cmake ] || exit 0
mkdir -p build
cargo --quiet info wamr-sys@0.1.1 >/dev/null # which unpacks it, its digest checked
rm -rf $into $into.tmp
cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/wamr-sys-0.1.1/wasm-micro-runtime $into.tmp
mv $into.tmp $into
