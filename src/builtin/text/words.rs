//! Paragraphs about words: kinds of things, properties, deeds and manners, with what means the same and the opposite.

use super::super::grammar::{Form, Head, Phrase, finite, number, was, words};
use super::super::lexicon::Frame;
use super::super::speaker::Speaker;
use super::{Lines, event, heads, line, person, pronoun, say};

/// What a noun is, and what is so of its kind.
pub(super) fn kind(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let noun = speaker.noun_where(|category| category.noun.is_some(), &[]);
    let category = lexicon.category(noun);
    let (one, many) = (
        number(&lexicon.nouns[noun], false),
        number(&lexicon.nouns[noun], true),
    );
    let own = category.noun.unwrap_or(noun);
    let (kind, kinds) = (
        number(&lexicon.nouns[own], false),
        number(&lexicon.nouns[own], true),
    );
    let above = lexicon
        .hypernyms
        .iter()
        .find(|hypernym| hypernym.0 == category.hypernym);
    let (above, aboves) = above.map_or(("", ""), |(one, many)| (one.as_str(), many.as_str()));
    let sibling = number(&lexicon.nouns[speaker.noun(&[&category.name], &[noun])], false);
    let mut lines = Vec::new();
    for _ in 0..2 + speaker.below(3) {
        let words = match speaker.below(9) {
            0 => words(["a", one, "is a", kind]),
            1 => words([many, "are", kinds]),
            2 => words(["every", one, "is a", kind, "and every", kind, "is a", above]),
            3 => words(["a", one, "is a kind of", kind]),
            4 => words([kinds, "are", aboves]),
            5 => words(["not every", kind, "is a", one]),
            6 => words([
                "a", one, "and a", sibling, "are both", kinds, "but no", one, "is a", sibling,
            ]),
            7 => {
                let verb = speaker
                    .verb_where(|class, _| class.frame == Frame::Transitive && class.takes_object(category));
                let Some(verb) = verb.map(|verb| &lexicon.verbs[verb]) else {
                    continue;
                };
                let agent = person(speaker, &[noun]).say(lexicon);
                let place = speaker.choose(&["the", "a"]);
                lines.push(line(&words([&agent, &verb.past, place, one])));
                words(["the", kind, was(false), &verb.participle, "by", &agent])
            }
            _ => {
                let about = speaker.choose(&[&category.name, &category.name, &category.hypernym]);
                let facts = lexicon.facts.iter().find(|(name, _)| name == about);
                let Some(fact) = facts.map(|(_, facts)| speaker.choose(facts)) else {
                    continue;
                };
                let subject = if *about == category.name { kinds } else { aboves };
                lines.push(line(&words([subject, &fact])));
                words([many, &fact])
            }
        };
        lines.push(line(&words));
    }
    lines
}

/// A property: what means the same, and what the opposite.
pub(super) fn property(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let (noun, adjective) = loop {
        let noun = speaker.noun(&["human", "beast", "thing", "site"], &[]);
        if let Some(adjective) = speaker.adjective(lexicon.category(noun)) {
            break (noun, adjective);
        }
    };
    let word = |a: Option<usize>| a.map_or("", |a| lexicon.adjectives[a].word.as_str());
    let plural = speaker.chance(0.3);
    let (the, be) = (Phrase::the(noun, plural), was(plural));
    let [it, _] = pronoun(speaker, &the);
    let (subject, own) = (the.say(lexicon), word(Some(adjective)));
    let category = lexicon.category(noun);
    let thing = match category.kind.as_str() {
        "human" => "person",
        "beast" => "animal",
        _ => "thing",
    };
    let one = number(&lexicon.nouns[noun], false);
    let same = speaker.same_adjective(adjective);
    let opposite = speaker.opposite_adjective(adjective);
    let (same, opposite) = (word(same), word(opposite));
    let mut lines = vec![line(&words([&subject, be, own]))];
    if !same.is_empty() {
        lines.push(line(&match speaker.below(4) {
            0 => words(["that is,", it, be, same]),
            1 => words(["a", same, one, "is a", own, one]),
            2 => words([own, "means", same]),
            _ => words(["the", own, number(&lexicon.nouns[noun], plural), be, "very", same]),
        }));
    }
    if !opposite.is_empty() {
        lines.push(line(&match speaker.below(5) {
            0 => words([it, be, "not", opposite]),
            1 => words(["no", opposite, thing, "is", own]),
            2 => words(["a", own, one, "is not a", opposite, one]),
            3 => words([own, "is the opposite of", opposite]),
            _ => words([it, be, own, "and not", opposite]),
        }));
    }
    let sentence = event_about(speaker, &the.being(Some(adjective)));
    lines.push(sentence);
    lines
}

/// Something that happened to this, or where it was.
fn event_about(speaker: &mut Speaker, phrase: &Phrase) -> String {
    let lexicon = speaker.lexicon;
    let category = speaker.category_of(phrase).unwrap_or(&lexicon.categories[0]);
    let agent = person(speaker, &heads(&[phrase]));
    let verb =
        speaker.verb_where(|class, _| class.frame == Frame::Transitive && class.takes_object(category));
    if let Some(verb) = verb {
        let mut event = event(speaker, Some(&agent));
        (event.verb, event.patient) = (verb, Some(phrase.clone()));
        event.place = event.place.filter(|_| !category.is("site"));
        return say(speaker, &event);
    }
    let place = super::Place::draw(speaker).say(lexicon);
    line(&words([&phrase.say(lexicon), was(phrase.plural), &place]))
}

/// A verb: what means the same, what the opposite, and who does it.
pub(super) fn deed(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let mut event = event(speaker, None);
    (event.negated, event.manner, event.time) = (false, None, None);
    let mut lines = vec![say(speaker, &event)];
    event.place = None;
    let [he, _] = pronoun(speaker, &event.agent);
    let object = event.patient.clone().map(|patient| pronoun(speaker, &patient)[1]);
    // "He praised her", where it is clear who is who.
    let object =
        object.filter(|&object| object != if he == "he" { "him" } else { "her" } || event.agent.plural);
    let patient = event
        .patient
        .as_ref()
        .map_or(String::new(), |patient| patient.clone().being(None).say(lexicon));
    let object = object.map_or(patient, str::to_owned);
    let own = &lexicon.verbs[event.verb];
    if let Some(same) = speaker.same_verb(event.verb) {
        let same = &lexicon.verbs[same];
        lines.push(match speaker.below(3) {
            0 => line(&words(["that is,", he, &same.past, &object])),
            1 => line(&words(["to", &own.base, "is to", &same.base])),
            _ => {
                let mut other = event.clone();
                other.verb = speaker.same_verb(event.verb).unwrap_or(event.verb);
                say(speaker, &other)
            }
        });
    }
    if let Some(opposite) = speaker.opposite_verb(event.verb) {
        let opposite = &lexicon.verbs[opposite];
        lines.push(match speaker.below(3) {
            0 => line(&words([he, finite(opposite, true).0, &opposite.base, &object])),
            1 => line(&words(["to", &own.base, "is not to", &opposite.base])),
            _ => line(&words([
                he,
                &own.past,
                &object,
                "and did not",
                &opposite.base,
                &object,
            ])),
        });
    }
    if event.patient.is_some() {
        let passive = speaker.coin();
        lines.push(line(&event.say(
            lexicon,
            Form {
                passive,
                ..Form::PLAIN
            },
        )));
    }
    lines
}

/// An adverb: what means the same, and what the opposite.
pub(super) fn manner(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let mut event = event(speaker, None);
    let adverb = speaker.adverb();
    (event.manner, event.negated) = (Some(adverb), false);
    let mut lines = vec![say(speaker, &event)];
    let [he, _] = pronoun(speaker, &event.agent);
    let word = |adverb: usize| lexicon.adverbs[adverb].word.as_str();
    if let Some(same) = speaker.other_adverb(adverb, false) {
        lines.push(line(&if speaker.coin() {
            words(["that is,", he, "did it", word(same)])
        } else {
            words(["who does a thing", word(adverb), "does it", word(same)])
        }));
    }
    if let Some(opposite) = speaker.other_adverb(adverb, true) {
        lines.push(line(&if speaker.coin() {
            words([he, "did not do it", word(opposite)])
        } else {
            words(["who does a thing", word(adverb), "does not do it", word(opposite)])
        }));
    }
    if let Head::Noun(_) = event.agent.head {
        event.manner = speaker.other_adverb(adverb, false).or(Some(adverb));
        lines.push(say(speaker, &event));
    }
    lines
}

/// One and several, in the present, the perfect and the past.
pub(super) fn forms(speaker: &mut Speaker) -> Lines {
    let lexicon = speaker.lexicon;
    let noun = speaker.noun(&["human", "beast"], &[]);
    let category = lexicon.category(noun);
    let verb = speaker.verb_where(|class, _| {
        matches!(class.frame, Frame::Transitive | Frame::Intransitive) && class.takes_subject(category)
    });
    let verb = verb.unwrap_or_else(|| speaker.intransitive(category));
    let verb = &lexicon.verbs[verb];
    let objects = &lexicon.classes[verb.class].objects;
    let object = if objects.is_empty() {
        super::Place::draw(speaker).say(lexicon)
    } else {
        speaker.phrase(objects, &[noun], 0.2).say(lexicon)
    };
    let mut lines: Vec<String> = [false, true]
        .into_iter()
        .flat_map(|plural| {
            let noun = number(&lexicon.nouns[noun], plural);
            let one = |one: &'static str, many: &'static str| if plural { many } else { one };
            let the = speaker.choose(if plural {
                &["the", "these", "those", "several", "many", "two"]
            } else {
                &["the", "this", "that", "every", "a", "one"]
            });
            let present = if plural { &verb.base } else { &verb.third };
            let second = match speaker.below(3) {
                0 => words(["the", noun, one("has", "have"), &verb.participle, &object]),
                1 => words(["the", noun, one("was", "were"), &verb.ing, &object]),
                _ => words(["the", noun, "will", &verb.base, &object]),
            };
            [words([the, noun, present, &object]), second]
        })
        .map(|words| line(&words))
        .collect();
    speaker.shuffle(&mut lines);
    lines.truncate(3);
    lines
}
