# What the scripts of this folder share: the program, a small study of the demo model, and its results when one process
# does all of it. To be sourced; sets $cwgnc, $dir and the function `plan`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cwgnc=${CWGNC:-target/release/cwgnc}
[ -x "$cwgnc" ] || { echo "no $cwgnc: cargo build --release, or set CWGNC" >&2; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# plan OUTPUT FLAGS...: two conditions, four seeds, 40 steps each.
plan() {
    local output=$1
    shift
    "$cwgnc" study --conditions control,component:0.05 --seeds 4 --model fixtures/demo/model --output "$output" "$@" \
        -- --train-file fixtures/demo/train.tsv --validation-file fixtures/demo/dev.tsv \
        --max-steps 40 --learning-rate 1e-3
}

plan "$dir/alone" --quiet > "$dir/alone.txt"

# compare OUTPUT: collects the runs and compares with the study of one process, byte by byte.
compare() {
    "$cwgnc" study --resume --quiet --output "$1" > "$dir/compared.txt"
    cmp "$dir/alone/results.jsonl" "$1/results.jsonl"
    cmp "$dir/alone.txt" "$dir/compared.txt"
}
