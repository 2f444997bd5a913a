#!/usr/bin/env bash
# The golden runs of fixtures/golden.json, all of them: here, in the debug and in the release build, and under emulated
# processors. Needs Rust; for other processors qemu-x86_64 of qemu-user.
#
#     scripts/golden.sh                     this machine, debug and release
#     scripts/golden.sh --processors        the release build under other processors too
#     scripts/golden.sh --write             writes the digests anew
set -euo pipefail
cd "$(dirname "$0")/.."

# Which runs, then flags of cargo.
check() { GOLDEN=$1 cargo test --quiet "${@:2}" --test it golden:: -- --nocapture; }

case "${1:-}" in
--write)
    GOLDEN=all GOLDEN_WRITE=1 cargo test --quiet --release --test it golden_runs_have_their_digests -- --nocapture
    exit
    ;;
"" | --processors) ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

echo "== this machine, debug build"
check all
echo "== this machine, release build"
check all --release
[ "${1:-}" = --processors ] || exit 0
command -v qemu-x86_64 >/dev/null || { echo "qemu-x86_64 is not there: install qemu-user" >&2; exit 2; }
cargo build --quiet --release
program=$PWD/target/release/cwgnc
# What the emulator has not of a processor it says on each start; none of it is used here.
emulate() { qemu-x86_64 -cpu "$@" 2> >(grep -v "TCG doesn't support" >&2); }
# All with AVX2 and FMA, and none with AVX-512. The short runs: an emulator is some twenty times as slow.
for cpu in Haswell Broadwell-v4 EPYC max; do
    echo "== $cpu, emulated"
    emulate "$cpu" "$program" verify-machine
    GOLDEN_PROGRAM=$program GOLDEN_UNDER="qemu-x86_64 -cpu $cpu" check "" --release
done
# Without FMA, and without AVX at all: these must say so.
for cpu in SandyBridge Nehalem; do
    echo "== $cpu, emulated: without fused multiply-add"
    out=$(mktemp -d)
    if emulate "$cpu" "$program" verify-machine; then
        echo "it should give other bits" >&2
        exit 1
    fi
    emulate "$cpu" "$program" finetune --model fixtures/demo/model --train-file fixtures/demo/train.tsv \
        --validation-file fixtures/demo/dev.tsv --max-steps 1 --max-train-samples 16 --max-eval-samples 16 \
        --output "$out/run" 2>&1 | grep -q "no fused multiply-add"
    grep -q '"portable": false' "$out/run/run.json"
    rm -r "$out"
    echo "it warns, and its run.json says \"portable\": false"
done
