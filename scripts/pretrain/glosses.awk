# WordNet's data files to text: the word of each synset with its definition, then its examples, a sentence a line; five
# synsets, which are neighbours in meaning, a paragraph.

/^  / { next } # the licence
{
    bar = index($0, " | ")
    if (!bar) next
    word = $5
    gsub(/_/, " ", word)
    sub(/\([a-z]+\)$/, "", word)
    gloss = substr($0, bar + 3)
    examples = ""
    while (match(gloss, /"[^"]*"/)) {
        example = substr(gloss, RSTART + 1, RLENGTH - 2)
        gloss = substr(gloss, 1, RSTART - 1) substr(gloss, RSTART + RLENGTH)
        if (example ~ / /) examples = examples example "\n"
    }
    gsub(/[; ]+$/, "", gloss)
    gsub(/(; *)+/, "; ", gloss)
    printf "%s: %s\n%s", word, gloss, examples
    if (++synsets % 5 == 0) print ""
}
