//! Paragraphs in which one sentence follows from another.

use super::super::grammar::{Phrase, finite, was, words};
use super::super::lexicon::Frame;
use super::super::speaker::Speaker;
use super::{Lines, heads, line, person, pronoun};

/// All, some and none of a kind.
pub(super) fn quantifiers(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let noun = speaker.noun_where(|category| category.noun.is_some(), &[]);
    let category = lexicon.category(noun);
    let one = lexicon.nouns[noun].one.as_str();
    let kind = if speaker.chance(0.7) {
        category.noun.map_or("", |own| lexicon.nouns[own].one.as_str())
    } else {
        &category.hypernym
    };
    let animate = category.is("human") || category.is("beast");
    let (did, did_not) = match speaker.adjective(category) {
        Some(adjective) if !animate || speaker.coin() => {
            let adjective = &lexicon.adjectives[adjective].word;
            (words(["was", adjective]), words(["was not", adjective]))
        }
        _ if animate => {
            let verb = &lexicon.verbs[speaker.intransitive(category)];
            (verb.past.clone(), words(["did not", &verb.base]))
        }
        _ => ("was in the garden".to_owned(), "was not in the garden".to_owned()),
    };
    let so = speaker.choose(&["so", "therefore", "thus"]);
    let lines = match speaker.below(7) {
        0 => {
            let every = speaker.choose(&["every", "each"]);
            [words([every, kind, &did]), words([so, every, one, &did])]
        }
        1 => [words(["no", kind, &did]), words([so, "no", one, &did])],
        2 => {
            let some = speaker.choose(&["some", "one", "a certain"]);
            [words([some, one, &did]), words([so, some, kind, &did])]
        }
        3 => [words(["the", one, &did]), words([so, "at least one", kind, &did])],
        4 => [words(["every", kind, &did]), words([so, "the", one, &did, "too"])],
        5 => [
            words(["every", one, &did, "but not every", kind]),
            words(["some", kind, &did_not]),
        ],
        _ => [words(["no", one, &did]), words(["but some other", kind, &did])],
    };
    lines.iter().map(|words| line(words)).collect()
}

/// `has` or `have`.
fn has(phrase: &Phrase) -> &'static str {
    if phrase.plural { "have" } else { "has" }
}

/// Who had a thing and who has it now.
pub(super) fn transfer(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let from = person(speaker, &[]);
    let to = person(speaker, &heads(&[&from]));
    let converse = speaker.coin();
    let verb = speaker.verb(if converse { Frame::Converse } else { Frame::Dative });
    let thing = speaker.phrase(&lexicon.classes[lexicon.verbs[verb].class].objects, &[], 0.3);
    let be = was(thing.plural);
    let (from_has, to_has) = (has(&from), has(&to));
    let [it, object] = pronoun(speaker, &thing);
    let bare = thing.clone().being(None).say(lexicon);
    let (from, to, thing) = (from.say(lexicon), to.say(lexicon), thing.say(lexicon));
    let past = |verb: usize| lexicon.verbs[verb].past.as_str();
    if converse {
        let other = speaker.opposite_verb(verb).unwrap_or(verb);
        let gives = lexicon.verbs[verb].side == 0;
        let way = |gives: bool| if gives { "to" } else { "from" };
        let has = if gives { to_has } else { from_has };
        return [
            words([&from, past(verb), &thing, way(gives), &to]),
            words([&to, past(other), &bare, way(!gives), &from]),
            words(["now", if gives { &to } else { &from }, has, object]),
        ]
        .iter()
        .map(|words| line(words))
        .collect();
    }
    let same = speaker.same_verb(verb).unwrap_or(verb);
    let mut lines = [
        words([&from, past(verb), &to, &thing]),
        words([&from, past(same), &bare, "to", &to]),
        words([it, be, &lexicon.verbs[verb].participle, "to", &to, "by", &from]),
    ];
    speaker.shuffle(&mut lines[..2]);
    lines.iter().map(|words| line(words)).collect()
}

/// What is true of two, and what is not.
pub(super) fn claims(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let people = &lexicon.categories[0];
    let first = person(speaker, &[]);
    let second = person(speaker, &heads(&[&first])).say(lexicon);
    let first = first.say(lexicon);
    let verb = &lexicon.verbs[speaker.intransitive(people)];
    let other = &lexicon.verbs[speaker.intransitive(people)];
    let (past, base) = (&verb.past, &verb.base);
    let lines = match speaker.below(4) {
        0 => [
            words(["it is true that", &first, "and", &second, past]),
            words([&first, past, "and so did", &second]),
        ],
        1 => [
            words(["it is not true that", &first, "or", &second, past]),
            words([&first, "did not", base, "and neither did", &second]),
        ],
        2 => [
            words([&first, past, "or", &second, past]),
            words(["one of them", past, "but we do not know who"]),
        ],
        _ => {
            let word = speaker.choose(&["while", "but", "and"]);
            let had = words([&first, "had", &verb.participle]);
            let had_not = words([&second, "had not", &other.participle]);
            [words([&had, word, &had_not]), words([&had_not, word, &had])]
        }
    };
    lines.iter().map(|words| line(words)).collect()
}

/// Two things of a kind, compared from both sides.
pub(super) fn comparison(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let more = |a: usize| lexicon.adjectives[a].more.as_deref();
    let (noun, adjective) = loop {
        let noun = speaker.noun(&["human", "beast", "thing"], &[]);
        let adjective = speaker.adjective_where(lexicon.category(noun), |_, a| more(a).is_some());
        if let Some(adjective) = adjective {
            break (noun, adjective);
        }
    };
    let category = lexicon.category(noun);
    let other = speaker.noun(&[&category.name], &[noun]);
    let (a, b) = (
        Phrase::the(noun, false).say(lexicon),
        Phrase::the(other, false).say(lexicon),
    );
    let compared =
        |a: &str, adjective: usize, b: &str| more(adjective).map(|more| words([a, "was", more, "than", b]));
    let mut lines = Vec::from_iter(compared(&a, adjective, &b));
    let opposite = speaker.opposite_adjective(adjective);
    lines.extend(opposite.and_then(|opposite| compared(&b, opposite, &a)));
    let same = speaker.same_adjective(adjective);
    lines.extend(same.and_then(|same| compared(&a, same, &b)));
    let own = &lexicon.adjectives[adjective].word;
    lines.push(words([&b, "was not as", own, "as", &a]));
    lines.iter().map(|words| line(words)).collect()
}

/// What came first; or what was tried, and whether it was done.
pub(super) fn order_and_success(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let people = &lexicon.categories[0];
    let first = person(speaker, &[]);
    if speaker.coin() {
        let second = person(speaker, &heads(&[&first]));
        let (first, second) = (first.say(lexicon), second.say(lexicon));
        let (did, other) = (speaker.intransitive(people), speaker.intransitive(people));
        let past = |verb: usize| lexicon.verbs[verb].past.as_str();
        let again = speaker.same_verb(other).unwrap_or(other);
        let lines = [
            words([&first, past(did), "before", &second, past(other)]),
            words([&second, past(again), "after", &first, past(did)]),
            words(["first", &first, past(did), "and then", &second, past(other)]),
        ];
        return lines.iter().map(|words| line(words)).collect();
    }
    let did = speaker.coin();
    let (past, base) = speaker.choose(if did {
        &[
            ("managed", "manage"),
            ("remembered", "remember"),
            ("bothered", "bother"),
        ]
    } else {
        &[("failed", "fail"), ("forgot", "forget"), ("neglected", "neglect")]
    });
    let verb = speaker.verb_where(|class, _| {
        class.frame == Frame::Transitive && !["liking", "regard", "trade"].contains(&class.name.as_str())
    });
    let Some(verb) = verb.map(|verb| &lexicon.verbs[verb]) else {
        return Vec::new();
    };
    let object = speaker.phrase(&lexicon.classes[verb.class].objects, &heads(&[&first]), 0.3);
    let [he, _] = pronoun(speaker, &first);
    let (first, be, object) = (first.say(lexicon), was(object.plural), object.say(lexicon));
    let denied = speaker.chance(0.3);
    let matrix = if denied {
        words(["did not", base])
    } else {
        past.to_owned()
    };
    let happened = did != denied;
    let (not, form) = finite(verb, !happened);
    let result = if speaker.coin() {
        words([he, not, form, &object])
    } else {
        words([&object, be, if happened { "" } else { "not" }, &verb.participle])
    };
    let lines = [words([&first, &matrix, "to", &verb.base, &object]), result];
    lines.iter().map(|words| line(words)).collect()
}
