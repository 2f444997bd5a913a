# The judged pairs of a text of `cwgnc tasks text` (docs/tasks.md) to examples: both sentences, and the word between them as the
# label. After every other pair of a kind its first sentence again, with the second of the pair of that kind before: a stranger.
# (BERT is asked that too: Devlin et al. 2019, next sentence prediction.) Telling strangers is where comparing begins; on the
# judged pairs alone, a small network learns to compare much later or not at all.

BEGIN {
    RS = ""; FS = "\n"; OFS = "\t"
    kind["Surely"] = kind["Perhaps"] = 1
    kind["Again"] = kind["Instead"] = 2
    kind["Hardly"] = kind["Slightly"] = kind["Partly"] = kind["Mostly"] = kind["Wholly"] = 3
}
NF == 2 && match($2, /^[A-Z][a-z]+: /) && substr($2, 1, RLENGTH - 2) in kind {
    word = substr($2, 1, RLENGTH - 2)
    second = substr($2, RLENGTH + 1)
    of = kind[word]
    print $1, second, tolower(word)
    if (++count[of] % 2 == 0) print $1, before[of], "stranger"
    before[of] = second
}
