# The judged pairs of a text of `cwgnc tasks text` (docs/tasks.md) to examples: both sentences, and the word between them as the
# label.

BEGIN { RS = ""; FS = "\n"; OFS = "\t" }
NF == 2 && /\n(Surely|Perhaps|Again|Instead|Hardly|Slightly|Partly|Mostly|Wholly): / {
    mark = index($2, ": ")
    print $1, substr($2, mark + 2), tolower(substr($2, 1, mark - 1))
}
