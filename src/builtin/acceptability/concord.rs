//! Words that must agree: subject and verb, reflexive and subject, determiner and noun.

use super::super::grammar::{Phrase, was, words};
use super::super::inflect::sentence;
use super::super::lexicon::{Frame, Gender};
use super::super::speaker::Speaker;
use super::{ANIMATE, adjunct, deed, deed_of, pair, place, the};

/// The subject and its verb agree, whatever noun stands between them.
pub(super) fn agreement(speaker: &mut Speaker, good: bool) -> String {
    let (plural, attractor) = (speaker.coin(), speaker.coin());
    let lexicon = speaker.lexicon;
    let (noun, subject) = the(speaker, &ANIMATE, &[], plural);
    let category = lexicon.category(noun);
    let adjective = if speaker.chance(0.3) {
        speaker.adjective(category)
    } else {
        None
    };
    let subject = subject.being(adjective);
    let after = match speaker.below(4) {
        0 => String::new(),
        shape => {
            let (person, other) = the(speaker, &["human"], &[noun], attractor);
            let other = other.say(lexicon);
            match shape {
                1 => words([speaker.choose(&["near", "behind", "beside"]), &other]),
                2 => words(["that", deed_of(speaker, noun, person), &other]),
                _ => words(["that", &other, deed_of(speaker, person, noun)]),
            }
        }
    };
    let subject = subject.followed(after).say(lexicon);
    let many = plural == good;
    let predicate = match speaker.below(4) {
        0 => {
            let adjective = speaker
                .adjective(category)
                .expect("people and animals have adjectives");
            words([pair("is", "are", many), &lexicon.adjectives[adjective].word])
        }
        1 => {
            let adjective = speaker
                .adjective(category)
                .expect("people and animals have adjectives");
            words([was(many), &lexicon.adjectives[adjective].word])
        }
        2 => {
            let verb = speaker.intransitive(category);
            words([pair("has", "have", many), &lexicon.verbs[verb].participle])
        }
        _ => {
            let verb = &lexicon.verbs[speaker.intransitive(category)];
            let form = if many { &verb.base } else { &verb.third };
            words([form.as_str(), &place(speaker)])
        }
    };
    sentence(&words([&subject, &predicate]))
}

/// Someone whose reflexive is known: 0 a man, 1 a woman, 2 several.
fn someone(speaker: &mut Speaker, who: usize, named: bool) -> Phrase {
    if who == 2 {
        return the(speaker, &["human"], &[], true).1;
    }
    let gender = [Gender::Male, Gender::Female][who];
    if named && speaker.coin() {
        return Phrase::name(speaker.name(Some(gender)));
    }
    loop {
        let (noun, phrase) = the(speaker, &["relative", "noble", "servant"], &[], false);
        if speaker.lexicon.nouns[noun].gender == gender {
            return phrase;
        }
    }
}

/// A reflexive means the subject of its own clause, not the noun that is near.
pub(super) fn reflexive(speaker: &mut Speaker, good: bool) -> String {
    let lexicon = speaker.lexicon;
    let who = speaker.below(3);
    let other = (who + 1 + speaker.below(2)) % 3;
    let shape = speaker.below(4);
    // No "Anna that met the boys".
    let (head, near) = (someone(speaker, who, shape == 3), someone(speaker, other, true));
    let own = head.reflexive(lexicon).unwrap_or_default();
    let foreign = near.reflexive(lexicon).unwrap_or_default();
    let verb = deed(speaker);
    let class = &lexicon.classes[verb.class];
    let verb = &verb.past;
    let (first, second) = (head.say(lexicon), near.say(lexicon));
    let (text, right, wrong) = match shape {
        0 => (
            words([
                &first,
                speaker.choose(&["near", "behind", "beside"]),
                &second,
                verb,
            ]),
            own,
            foreign,
        ),
        1 => (
            words([&first, "that", &deed(speaker).past, &second, verb]),
            own,
            foreign,
        ),
        2 => (
            words([&first, "that", &second, &deed(speaker).past, verb]),
            own,
            foreign,
        ),
        _ => {
            let said = speaker.choose(&["said", "thought", "knew", "believed"]);
            (words([&first, said, "that", &second, verb]), foreign, own)
        }
    };
    let reflexive = if good { right } else { wrong };
    sentence(&words([&text, reflexive, &adjunct(speaker, true, class)]))
}

/// `this falcon`, `these falcons`.
pub(super) fn determiner(speaker: &mut Speaker, good: bool) -> String {
    const ONE: [&str; 4] = ["this", "that", "every", "a"];
    const MANY: [&str; 4] = ["these", "those", "several", "many"];
    let lexicon = speaker.lexicon;
    let plural = speaker.coin();
    let determiner = speaker.choose(if plural == good { &MANY } else { &ONE });
    let verb = &lexicon.verbs[speaker.verb(Frame::Transitive)];
    let class = &lexicon.classes[verb.class];
    let subject = speaker.phrase(&class.subjects, &[], 0.3);
    let object = speaker.phrase(&class.objects, &[], 0.3);
    let (subject, object) = if speaker.coin() {
        (
            Phrase {
                plural,
                ..subject.with(determiner)
            },
            object,
        )
    } else {
        (
            subject,
            Phrase {
                plural,
                ..object.with(determiner)
            },
        )
    };
    let adjunct = adjunct(speaker, true, class);
    sentence(&words([
        &subject.say(lexicon),
        &verb.past,
        &object.say(lexicon),
        &adjunct,
    ]))
}
