//! Is it an English sentence? Ten phenomena, each a table in which no single word tells.
//!
//! A violation differs from a sentence that is fine in the form of one word or in the order of its words, and both answers
//! see every word and every form equally often: with a subject of either number and a verb of either number, only whether
//! they agree decides.

mod concord;

use super::grammar::{Head, Phrase, Place, finite, number, was, words};
use super::inflect::sentence;
use super::lexicon::{Frame, Verb, VerbClass};
use super::speaker::Speaker;

/// Makes a sentence that is one, or none.
type Make = fn(&mut Speaker, bool) -> String;

/// The phenomena, by name.
pub(super) const PHENOMENA: [(&str, Make); 10] = [
    ("agreement", concord::agreement),
    ("reflexive", concord::reflexive),
    ("argument", argument),
    ("determiner", concord::determiner),
    ("order", order),
    ("polarity", polarity),
    ("auxiliary", auxiliary),
    ("selection", selection),
    ("case", case),
    ("gap", gap),
];

/// People and animals.
const ANIMATE: [&str; 2] = ["human", "beast"];

/// A place or a time, or nothing, so that length says little. A time is in the past, and a place is no place for a place.
fn adjunct(speaker: &mut Speaker, past: bool, object: &VerbClass) -> String {
    let in_a_place = object.objects.iter().any(|name| name == "building");
    match speaker.below(4) {
        0 | 1 if past => {
            let time = speaker.time();
            speaker.lexicon.times[time].phrase.clone()
        }
        0..=2 if !in_a_place => Place::draw(speaker).say(speaker.lexicon),
        _ => String::new(),
    }
}

/// A noun of a kind, as a phrase with `the`.
fn the(speaker: &mut Speaker, of: &[&str], avoid: &[usize], plural: bool) -> (usize, Phrase) {
    let noun = speaker.noun(of, avoid);
    (noun, Phrase::the(noun, plural))
}

/// What people do to people.
fn deed(speaker: &mut Speaker) -> &'static Verb {
    let people = &speaker.lexicon.categories[0];
    let verb = speaker.deed(people, people);
    &speaker.lexicon.verbs[verb]
}

/// What the one did to the other.
fn deed_of(speaker: &mut Speaker, subject: usize, object: usize) -> &'static str {
    let lexicon = speaker.lexicon;
    let verb = speaker.deed(lexicon.category(subject), lexicon.category(object));
    &lexicon.verbs[verb].past
}

/// A place, or nothing.
fn place(speaker: &mut Speaker) -> String {
    if speaker.coin() {
        Place::draw(speaker).say(speaker.lexicon)
    } else {
        String::new()
    }
}

/// A verb has the objects that it takes.
fn argument(speaker: &mut Speaker, good: bool) -> String {
    let lexicon = speaker.lexicon;
    let transitive = speaker.coin();
    let object = transitive == good;
    let frame = if transitive {
        Frame::Transitive
    } else {
        Frame::Intransitive
    };
    let verb = &lexicon.verbs[speaker.strict(frame)];
    let class = &lexicon.classes[verb.class];
    let subject = speaker.phrase(&class.subjects, &[], 0.3);
    let objects = if transitive {
        class.objects.clone()
    } else {
        // What some other verb would take.
        let other = speaker.strict(Frame::Transitive);
        lexicon.classes[lexicon.verbs[other].class].objects.clone()
    };
    let object = if object {
        let avoid = match subject.head {
            Head::Noun(noun) => vec![noun],
            Head::Name(_) => Vec::new(),
        };
        speaker.phrase(&objects, &avoid, 0.3).say(lexicon)
    } else {
        String::new()
    };
    let (auxiliary, form) = tense(speaker, verb, subject.plural);
    let past = matches!(auxiliary, "" | "did not");
    let adjunct = adjunct(speaker, past, class);
    sentence(&words([
        &subject.say(lexicon),
        auxiliary,
        form,
        &object,
        &adjunct,
    ]))
}

/// A verb in one of four tenses.
fn tense(speaker: &mut Speaker, verb: &'static Verb, plural: bool) -> (&'static str, &'static str) {
    match speaker.below(4) {
        0 => (pair("has", "have", plural), &verb.participle),
        1 => ("will", &verb.base),
        2 => ("did not", &verb.base),
        _ => ("", &verb.past),
    }
}

/// The same words in order, or not.
fn order(speaker: &mut Speaker, good: bool) -> String {
    let lexicon = speaker.lexicon;
    let verb = speaker
        .verb_where(|class, _| class.frame == Frame::Transitive && class.name != "place")
        .expect("both sets have transitive verbs");
    let verb = &lexicon.verbs[verb];
    let class = &lexicon.classes[verb.class];
    let subject = speaker.phrase(&class.subjects, &[], 0.0);
    let noun = speaker.noun_of(&class.objects, &[]);
    let plural = speaker.chance(0.3);
    let adjective = speaker.adjective(lexicon.category(noun));
    let adjective = adjective.map_or("", |a| &lexicon.adjectives[a].word);
    let (bare, manner) = (number(&lexicon.nouns[noun], plural), speaker.adverb());
    let manner = &lexicon.adverbs[manner].word;
    let object = words(["the", adjective, bare]);
    let place = Place::draw(speaker);
    let site = &lexicon.nouns[place.noun].one;
    let there = place.say(lexicon);
    let subject_noun = match subject.head {
        Head::Noun(noun) => number(&lexicon.nouns[noun], subject.plural),
        Head::Name(name) => &lexicon.names[name].0,
    };
    let subject = subject.say(lexicon);
    let verb = &verb.past;
    let shuffled = speaker.below(6);
    let text = if good {
        words([&subject, verb, &object, manner, &there])
    } else {
        match shuffled {
            0 => words([&subject, &object, verb, manner, &there]),
            1 => words([&subject, verb, manner, &object, &there]),
            2 if !adjective.is_empty() => words([&subject, verb, "the", bare, adjective, manner, &there]),
            2 | 3 => words([subject_noun, "the", verb, &object, manner, &there]),
            4 => words([&subject, verb, &object, manner, "the", site, place.preposition]),
            _ => words([verb, &subject, &object, manner, &there]),
        }
    };
    sentence(&text)
}

/// `ever` needs a negation above it: `no cook that the boys met has ever ...`, not `the cook that no boys met has ever ...`.
fn polarity(speaker: &mut Speaker, good: bool) -> String {
    let lexicon = speaker.lexicon;
    let (noun, subject) = the(speaker, &ANIMATE, &[], false);
    let subject = subject.with("");
    let verb = &lexicon.verbs[speaker.intransitive(lexicon.category(noun))].participle;
    let adjunct = place(speaker);
    let text = if speaker.coin() {
        let (person, other) = the(speaker, &["human"], &[noun], false);
        let other = other.with("").say(lexicon);
        let (first, second) = if good { ("no", "the") } else { ("the", "no") };
        let subject = words([first, &subject.say(lexicon)]);
        let clause = if speaker.coin() {
            words(["that", deed_of(speaker, noun, person), second, &other])
        } else {
            words(["that", second, &other, deed_of(speaker, person, noun)])
        };
        words([&subject, &clause, "has ever", verb, &adjunct])
    } else {
        let inner = &lexicon.verbs[speaker.intransitive(lexicon.category(noun))].participle;
        let (first, second) = if good { ("", "not") } else { ("not", "") };
        let subject = words(["the", &subject.say(lexicon)]);
        words([
            &subject, "that has", first, inner, "has", second, "ever", verb, &adjunct,
        ])
    };
    sentence(&text)
}

/// Each auxiliary has its form of the verb: `has eaten`, `was eating`, `will eat`.
fn auxiliary(speaker: &mut Speaker, good: bool) -> String {
    // Nobody is owning a car or trusting a friend.
    const STATES: [&str; 3] = ["liking", "trade", "regard"];
    let lexicon = speaker.lexicon;
    let frame = speaker.choose(&[Frame::Transitive, Frame::Intransitive]);
    let fits = |class: &VerbClass, verb: &Verb| {
        // "Was relaxed" is an adjective; "hurt" and "shut" have one form for two.
        let sure = frame == Frame::Transitive || !verb.loose;
        class.frame == frame && sure && !STATES.contains(&class.name.as_str()) && verb.participle != verb.base
    };
    let verb = &lexicon.verbs[speaker.verb_where(fits).expect("both sets have such verbs")];
    let class = &lexicon.classes[verb.class];
    let subject = speaker.phrase(&class.subjects, &[], 0.3);
    let object = if frame == Frame::Transitive {
        speaker.phrase(&class.objects, &[], 0.2).say(lexicon)
    } else {
        String::new()
    };
    let which = speaker.below(3);
    let auxiliary = match which {
        0 => speaker.choose(&["will", "can", "must", "did"]),
        1 => pair("has", "have", subject.plural),
        _ => was(subject.plural),
    };
    let form = if good {
        which
    } else {
        (which + 1 + speaker.below(2)) % 3
    };
    let not = auxiliary == "did" || speaker.chance(0.25);
    let auxiliary = match (auxiliary, not) {
        ("can", true) => "cannot".to_owned(),
        (auxiliary, true) => format!("{auxiliary} not"),
        (auxiliary, false) => auxiliary.to_owned(),
    };
    let form = [&verb.base, &verb.participle, &verb.ing][form];
    let past = auxiliary.starts_with("did") || auxiliary.starts_with('w') && !auxiliary.starts_with("will");
    let adjunct = adjunct(speaker, past, class);
    sentence(&words([
        &subject.say(lexicon),
        &auxiliary,
        form,
        &object,
        &adjunct,
    ]))
}

/// The one for a subject of one, or the other.
fn pair(one: &'static str, other: &'static str, plural: bool) -> &'static str {
    if plural { other } else { one }
}

/// A novel reads nobody.
fn selection(speaker: &mut Speaker, good: bool) -> String {
    let lexicon = speaker.lexicon;
    let of_people = |class: &VerbClass, verb: &Verb| {
        let things = class
            .objects
            .iter()
            .all(|object| object != "human" && object != "beast");
        class.frame == Frame::Transitive && things && !verb.of_things
    };
    let verb = speaker
        .verb_where(of_people)
        .expect("both sets have verbs for things");
    let verb = &lexicon.verbs[verb];
    let class = &lexicon.classes[verb.class];
    let person = speaker.phrase(&class.subjects, &[], 0.0);
    let thing = speaker.phrase(&class.objects, &[], 0.0);
    let passive = speaker.chance(0.4);
    let (first, second) = if good == passive {
        (thing, person)
    } else {
        (person, thing)
    };
    let verb = if passive {
        words([was(first.plural), &verb.participle, "by"])
    } else {
        let (not, form) = finite(verb, speaker.chance(0.2));
        words([not, form])
    };
    let adjunct = adjunct(speaker, true, class);
    sentence(&words([
        &first.say(lexicon),
        &verb,
        &second.say(lexicon),
        &adjunct,
    ]))
}

/// `he` and `him`, each in its place.
fn case(speaker: &mut Speaker, good: bool) -> String {
    const FORMS: [[&str; 2]; 4] = [["he", "him"], ["she", "her"], ["they", "them"], ["we", "us"]];
    let lexicon = speaker.lexicon;
    let first = speaker.below(4);
    let second = (first + 1 + speaker.below(3)) % 4;
    let verb = deed(speaker);
    let class = &lexicon.classes[verb.class];
    let shape = speaker.below(3);
    let (subject, object) = if good { (0, 1) } else { (1, 0) };
    let subject = match shape {
        0 => speaker.phrase(&["human".to_owned()], &[], 0.3).say(lexicon),
        _ => FORMS[first][subject].to_owned(),
    };
    let object = match shape {
        1 => speaker.phrase(&["human".to_owned()], &[], 0.3).say(lexicon),
        _ => FORMS[second][object].to_owned(),
    };
    let (auxiliary, form) = finite(verb, speaker.chance(0.3));
    let manner = if speaker.coin() {
        &lexicon.adverbs[speaker.adverb()].word
    } else {
        ""
    };
    sentence(&words([
        &subject,
        auxiliary,
        form,
        &object,
        manner,
        &adjunct(speaker, true, class),
    ]))
}

/// A question about the object leaves its place empty: `asked which novel the boy read`, `asked whether the boy read the novel`.
fn gap(speaker: &mut Speaker, good: bool) -> String {
    let lexicon = speaker.lexicon;
    let verb = &lexicon.verbs[speaker.strict(Frame::Transitive)];
    let class = &lexicon.classes[verb.class];
    let asker = Phrase::name(speaker.name(None)).say(lexicon);
    let asked = speaker.choose(&["knew", "asked", "wondered", "remembered"]);
    let subject = speaker.phrase(&class.subjects, &[], 0.4);
    let avoid = match subject.head {
        Head::Noun(noun) => noun,
        Head::Name(_) => usize::MAX,
    };
    let which = speaker.coin();
    let question = if which {
        let noun = speaker.noun_of(&class.objects, &[avoid]);
        words(["which", number(&lexicon.nouns[noun], speaker.coin())])
    } else {
        "whether".to_owned()
    };
    let object = if which == good {
        String::new()
    } else {
        speaker.phrase(&class.objects, &[avoid], 0.4).say(lexicon)
    };
    let adjunct = adjunct(speaker, true, class);
    sentence(&words([
        &asker,
        asked,
        &question,
        &subject.say(lexicon),
        &verb.past,
        &object,
        &adjunct,
    ]))
}
