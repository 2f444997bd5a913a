//! All, some and none, and and or: what may be widened and what may be narrowed.

use super::super::grammar::{Place, finite, words};
use super::super::lexicon::{Category, Frame};
use super::super::speaker::Speaker;
use super::{Pair, head, ordered, pair};

/// A quantifier whose noun may be widened (`some`), or narrowed (`every`, `no`).
fn quantifier(speaker: &mut Speaker, category: &Category, widens: bool) -> &'static str {
    // "Some cherry" would be a quantity.
    let some = if category.is("thing") { "a certain" } else { "some" };
    speaker.choose(&if widens {
        [some, "one", "at least one"]
    } else {
        ["every", "no", "each"]
    })
}

/// What may be said of anything of this category, in the past: `was heavy`, `slept in the garden`.
fn predicate(speaker: &mut Speaker, category: &Category) -> String {
    let lexicon = speaker.lexicon;
    let animate = ["human", "beast"].iter().any(|kind| category.is(kind));
    if animate && speaker.coin() {
        let verb = speaker.intransitive(category);
        let place = Place::draw(speaker).say(lexicon);
        return words([&lexicon.verbs[verb].past, &place]);
    }
    let adjective = speaker.adjective(category);
    match adjective {
        Some(adjective) => words(["was", &lexicon.adjectives[adjective].word]),
        None => words(["was", &Place::draw(speaker).say(lexicon)]),
    }
}

/// A noun and its category or hypernym, under a quantifier: `some heron` is `some bird`, `every bird` is `every heron`.
pub(super) fn taxonomy(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let noun = speaker.noun_where(|category| category.noun.is_some(), &[]);
    let category = lexicon.category(noun);
    let narrow = lexicon.nouns[noun].one.as_str();
    let own = category.noun.map_or("", |noun| &lexicon.nouns[noun].one);
    let wide = if speaker.chance(0.7) {
        own
    } else {
        &category.hypernym
    };
    let widens = speaker.coin();
    let quantifier = quantifier(speaker, category, widens);
    // As the object of what someone did, or as the subject.
    let site = category.is("site");
    let verb = if site || speaker.coin() {
        None
    } else {
        speaker.verb_where(|class, _| class.frame == Frame::Transitive && class.takes_object(category))
    };
    let (before, after) = if let Some(verb) = verb {
        let verb = &lexicon.verbs[verb];
        let subject = speaker.phrase(&lexicon.classes[verb.class].subjects, &[noun], 0.3);
        (words([&subject.say(lexicon), &verb.past]), String::new())
    } else {
        (String::new(), predicate(speaker, category))
    };
    let say = |noun: &str| words([&before, quantifier, noun, &after]);
    let (premise, hypothesis) = ordered(widens == yes, say(narrow), say(wide));
    pair(&premise, &hypothesis)
}

/// A modifier that is dropped or added: of the noun under a quantifier, or of what happened under a negation.
pub(super) fn modifier(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let widens = speaker.coin();
    let (narrow, wide) = if speaker.coin() {
        let noun = speaker.noun(&["human", "beast"], &[]);
        let category = lexicon.category(noun);
        let quantifier = quantifier(speaker, category, widens);
        let one = &lexicon.nouns[noun].one;
        // No "every quiet owl was noisy", and nobody in the kitchen who slept in the park.
        let did = &lexicon.verbs[speaker.intransitive(category)].past;
        let adjective = speaker
            .adjective(category)
            .expect("people and animals have adjectives");
        let adjective = &lexicon.adjectives[adjective].word;
        let (narrow, predicate) = if speaker.coin() {
            (words([quantifier, adjective, one, did]), did.clone())
        } else {
            let predicate = if speaker.coin() {
                did.clone()
            } else {
                words(["was", adjective])
            };
            (
                words([quantifier, one, &Place::draw(speaker).say(lexicon), &predicate]),
                predicate,
            )
        };
        (narrow, words([quantifier, one, &predicate]))
    } else {
        let verb = &lexicon.verbs[speaker.verb(Frame::Transitive)];
        let class = &lexicon.classes[verb.class];
        let subject = speaker.phrase(&class.subjects, &[], 0.2);
        let object = speaker.phrase(&class.objects, &[head(&subject)], 0.2);
        let (not, form) = finite(verb, !widens);
        let extra = match speaker.below(3) {
            0 => lexicon.adverbs[speaker.adverb()].word.clone(),
            1 => Place::draw(speaker).say(lexicon),
            _ => lexicon.times[speaker.time()].phrase.clone(),
        };
        let wide = words([&subject.say(lexicon), not, form, &object.say(lexicon)]);
        (words([&wide, &extra]), wide)
    };
    let (premise, hypothesis) = ordered(widens == yes, narrow, wide);
    pair(&premise, &hypothesis)
}

/// `and` and `or`, affirmed and denied: from the whole to a part, or from a part to the whole.
pub(super) fn connective(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let (and, affirmed) = (speaker.coin(), speaker.coin());
    let word = if and { "and" } else { "or" };
    let first = speaker.phrase(&["human".to_owned()], &[], 0.2);
    let second = speaker.phrase(&["human".to_owned()], &[head(&first)], 0.2);
    let people = &lexicon.categories[0];
    let verb = &lexicon.verbs[speaker.intransitive(people)];
    let (whole, part) = if speaker.coin() {
        let kept = speaker.choose(&[&first, &second]).say(lexicon);
        let whole = words([&first.say(lexicon), word, &second.say(lexicon), &verb.past]);
        (whole, words([&kept, &verb.past]))
    } else {
        let other = loop {
            let other = &lexicon.verbs[speaker.intransitive(people)];
            if other.cluster != verb.cluster {
                break &other.past;
            }
        };
        let verb = &verb.past;
        let kept = speaker.choose(&[verb, other]);
        let subject = first.say(lexicon);
        (words([&subject, verb, word, other]), words([&subject, kept]))
    };
    let claim = if affirmed {
        "it is true that"
    } else {
        "it is not true that"
    };
    let to_part = (and == affirmed) == yes;
    let (premise, hypothesis) = ordered(to_part, whole, part);
    pair(&words([claim, &premise]), &words([claim, &hypothesis]))
}
