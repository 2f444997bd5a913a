#!/usr/bin/env bash
# Makes the encoders of fixtures/models again: the same text, vocabulary and steps give the same bytes (on one kind of
# processor: docs/numerics.md). The shallow one takes 36 minutes of two cores, the deep one 27.
#
#   scripts/pretrain.sh OUTPUT [shallow] [deep]
#
# Needs Rust and WordNet 3.0's data files, which Debian has as the package wordnet-base (WORDNET says where they are).
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:?"usage: scripts/pretrain.sh OUTPUT [shallow] [deep]"}
shift
[ $# -gt 0 ] || set -- shallow deep
wordnet=${WORDNET:-/usr/share/wordnet}
for part in noun verb adj adv; do
    [ -r "$wordnet/data.$part" ] || {
        echo "$wordnet/data.$part is not there: install wordnet-base, or set WORDNET" >&2
        exit 1
    }
done
mkdir -p "$out"
cargo build --quiet --release
cwgnc=${CARGO_TARGET_DIR:-target}/release/cwgnc

# Text: what the grammar says, with every word of the built-in tasks in context, and real English.
[ -e "$out/grammar.txt" ] || "$cwgnc" tasks text --sentences 800000 --output "$out/grammar.txt"
awk -f scripts/pretrain/glosses.awk "$wordnet"/data.{noun,verb,adj,adv} > "$out/glosses.txt"

# Questions: whether two sentences belong together and how they agree, and whether a sentence is whole. The answers come from the
# grammar and from disturbing. A third of the disturbed is enough: with all of them, two of the comparisons were at chance when this learned them.
[ -e "$out/more.txt" ] || "$cwgnc" tasks text --sentences 2400000 --output "$out/more.txt"
awk -f scripts/pretrain/judged.awk "$out/more.txt" > "$out/judged.tsv"
{
    grep -v '^\(Surely\|Perhaps\|Again\|Instead\|Hardly\|Slightly\|Partly\|Mostly\|Wholly\):' "$out/grammar.txt" | grep . | awk 'NR % 4 == 0'
    grep . "$out/glosses.txt"
} | awk -f scripts/pretrain/disturbed.awk > "$out/disturbed.tsv"
header=$'sentence1\tsentence2\tlabel'
{ echo "$header"; head -n -3000 "$out/judged.tsv"; tail -n +2001 "$out/disturbed.tsv" | awk 'NR % 3 == 0'; } > "$out/train.tsv"
{ echo "$header"; tail -n 3000 "$out/judged.tsv"; head -n 2000 "$out/disturbed.tsv"; } > "$out/dev.tsv"

# Small networks on little text learn more without dropout; config.json then says what fine-tuning is to use.
encoder() {
    local name=$1
    shift
    "$cwgnc" pretrain --train-file "$out/grammar.txt" "$out/glosses.txt" --output "$out/$name-words" \
        --vocab-size 8000 --learning-rate 1e-3 --mlm-probability 0.2 --dropout 0 --logging-steps 500 "$@"
    "$cwgnc" finetune --model "$out/$name-words" --train-file "$out/train.tsv" --validation-file "$out/dev.tsv" \
        --output "$out/$name" --save-dtype f16 --learning-rate 5e-4 --warmup-ratio 0.1 --clip global:1 \
        --max-steps 16000 --batch-size 32 --dropout 0 --eval-every 2000
    sed -i 's/\("\(hidden\|attention_probs\)_dropout_prob": \)0\.0/\10.1/; s/\("classifier_dropout": \)0\.0/\1null/' \
        "$out/$name/config.json"
}

for name in "$@"; do
    case $name in
        shallow) encoder shallow --num-hidden-layers 4 --num-attention-heads 4 --max-steps 10000 ;;
        deep) encoder deep --num-hidden-layers 12 --hidden-size 64 --num-attention-heads 4 --max-steps 5000 ;;
        *)
            echo "unknown encoder $name: shallow or deep" >&2
            exit 2
            ;;
    esac
done
