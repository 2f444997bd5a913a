# Sentences to examples: about every second one is disturbed, and the label says whether. Two words change places, or a word gives
# way to one of another sentence, or is left out, or gains or loses an s at its end.
#
# The draws are those of Park and Miller's generator, in doubles without rounding, so that every awk makes the same file.

function draw(n) {
    state = (state * 16807) % 2147483647
    return int(state / 2147483647 * n) + 1
}

BEGIN { state = 1 }
NF < 4 { next }
{
    before = $0
    words = split($0, word, " ")
    other = known ? pool[draw(known)] : word[1]
    pool[known < 1000 ? ++known : draw(known)] = word[draw(words)]
    if (draw(2) == 1) {
        printf "%s\t\twhole\n", before
        next
    }
    end = ""
    if ($NF ~ /\.$/) {
        sub(/\.$/, "", $NF)
        end = "."
    }
    i = draw(NF)
    kind = draw(6)
    if (kind <= 2) {
        if (kind == 1) j = draw(NF)
        else { if (i == NF) i--; j = i + 1 }
        held = $i
        $i = $j
        $j = held
    }
    else if (kind == 3) $i = other
    else if (kind == 4) $i = ""
    else if ($i ~ /[^s]s$/) sub(/s$/, "", $i)
    else $i = $i "s"
    after = $0 end
    gsub(/  +/, " ", after)
    sub(/^ /, "", after)
    sub(/ \.$/, ".", after)
    if (after != before) printf "%s\t\tdisturbed\n", after
}
