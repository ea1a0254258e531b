#!/bin/sh
# wasm3 0.5.0's C sources into build/wasm3: the source distribution of pywasm3 carries them. Does nothing where they are there.
set -eu
cd "$(dirname "$0")"
into=build/wasm3
[ ! -f $into/wasm3.h ] || exit 0
mkdir -p build
place=$(mktemp -d build/fetch.XXXXXX)
trap 'rm -rf "$place"' EXIT
echo 'pywasm3==0.5.0 --hash=sha256:5a47c8a39f7f6ae71b3316b2e5d86c9d0db6e771a65f09a86e4d4aa3a19aefcc' >"$place/requirements.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary pywasm3 --require-hashes \
  --requirement "$place/requirements.txt" --dest "$place"
tar -xzf "$place"/pywasm3-0.5.0.tar.gz -C "$place"
rm -rf $into
mv "$place/pywasm3-0.5.0/wasm3" $into
