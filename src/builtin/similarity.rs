//! How near are two sentences in meaning, from 0 to 5?
//!
//! ```text
//! score = 5 · Σ w·s / Σ w        over the roles that the sentences have
//!
//! role      weight w   likeness s
//! verb      0.30       same or synonym 1, opposite 0.2, same class 0.4, other 0; where one of the two is negated,
//!                      opposite 0.8, else a quarter of that
//! agent     0.25       noun: same 1, same category 0.8, same hypernym 0.2, other 0;
//! patient   0.25         times, where both or one have an adjective: same or synonym 1, other or none 0.85, opposite 0.6
//! place     0.10       same 1, same category 0.8, other 0; another relation times 0.6
//! time      0.10       same 1, near 0.4, other 0
//! ```
//!
//! Near or far, the two sentences have different words, but for one pair in a hundred: nurses and surgeons are near, nurses and
//! welders are not. So a count of what they share says nothing; one must know the words.

use super::grammar::{Event, Form, Head, Phrase, Place};
use super::inflect::sentence;
use super::lexicon::{Category, Frame, Lexicon, Verb, VerbClass};
use super::speaker::Speaker;

/// The standard deviation of the annotators' noise in the training set.
pub(super) const NOISE: f64 = 0.25;

/// Likeness of two nouns.
fn nouns(lexicon: &Lexicon, a: usize, b: usize) -> f64 {
    let (one, other) = (&lexicon.nouns[a], &lexicon.nouns[b]);
    if a == b {
        1.0
    } else if one.category == other.category {
        0.8
    } else if lexicon.category(a).hypernym == lexicon.category(b).hypernym {
        0.2
    } else {
        0.0
    }
}

/// Likeness of two properties.
fn adjectives(lexicon: &Lexicon, a: Option<usize>, b: Option<usize>) -> f64 {
    match (a, b) {
        (None, None) => 1.0,
        (Some(a), Some(b)) => {
            let (a, b) = (&lexicon.adjectives[a], &lexicon.adjectives[b]);
            match (a.cluster == b.cluster, a.side == b.side) {
                (true, true) => 1.0,
                (true, false) => 0.6,
                _ => 0.85,
            }
        }
        _ => 0.85,
    }
}

/// Likeness of two noun phrases.
fn phrases(lexicon: &Lexicon, a: &Phrase, b: &Phrase) -> f64 {
    match (a.head, b.head) {
        (Head::Noun(one), Head::Noun(other)) => {
            nouns(lexicon, one, other) * adjectives(lexicon, a.adjective, b.adjective)
        }
        (one, other) => f64::from(one == other),
    }
}

/// Likeness of two verbs, with or without `not`.
fn verbs(lexicon: &Lexicon, a: &Event, b: &Event) -> f64 {
    let denied = a.negated != b.negated;
    let (a, b) = (&lexicon.verbs[a.verb], &lexicon.verbs[b.verb]);
    let likeness = match (a.cluster == b.cluster, a.side == b.side, a.class == b.class) {
        (true, true, _) => 1.0,
        (true, false, _) if denied => return 0.8,
        (true, false, _) => 0.2,
        (false, _, true) => 0.4,
        _ => 0.0,
    };
    if denied { likeness / 4.0 } else { likeness }
}

/// Likeness of two places.
fn places(lexicon: &Lexicon, a: Place, b: Place) -> f64 {
    let relation = if a.relation == b.relation { 1.0 } else { 0.6 };
    let place = match &lexicon.nouns[..] {
        _ if a.noun == b.noun => 1.0,
        nouns if nouns[a.noun].category == nouns[b.noun].category => 0.8,
        _ => 0.0,
    };
    place * relation
}

/// Likeness of two times.
fn times(lexicon: &Lexicon, a: usize, b: usize) -> f64 {
    let (a, b) = (&lexicon.times[a], &lexicon.times[b]);
    if a.cluster == b.cluster {
        1.0
    } else if a.group == b.group {
        0.4
    } else {
        0.0
    }
}

/// The score of two events, from 0 to 5.
pub(super) fn score(lexicon: &Lexicon, a: &Event, b: &Event) -> f64 {
    let mut roles = vec![
        (0.3, verbs(lexicon, a, b)),
        (0.25, phrases(lexicon, &a.agent, &b.agent)),
    ];
    if let (Some(one), Some(other)) = (&a.patient, &b.patient) {
        roles.push((0.25, phrases(lexicon, one, other)));
    }
    if let (Some(one), Some(other)) = (a.place, b.place) {
        roles.push((0.1, places(lexicon, one, other)));
    }
    if let (Some(one), Some(other)) = (a.time, b.time) {
        roles.push((0.1, times(lexicon, one, other)));
    }
    let weights: f64 = roles.iter().map(|role| role.0).sum();
    let likeness: f64 = roles.iter().map(|role| role.0 * role.1).sum();
    5.0 * likeness / weights
}

/// Two sentences and their score, rounded to a tenth.
pub(super) fn pair(speaker: &mut Speaker) -> (String, String, f64) {
    let lexicon = speaker.lexicon;
    let first = event(speaker);
    let second = other(speaker, &first);
    let score = (score(lexicon, &first, &second) * 10.0).round() / 10.0;
    let (one, two) = (Form::draw(speaker, &first), Form::draw(speaker, &second));
    let say = |event: &Event, form| sentence(&event.say(lexicon, form));
    (say(&first, one), say(&second, two), score)
}

/// Whether people can do it to people.
fn to_people(class: &VerbClass) -> bool {
    class.objects.iter().any(|object| object == "human")
}

/// Whether there is another word of the same meaning, or of the opposite one.
fn has(lexicon: &Lexicon, verb: &Verb, opposite: bool) -> bool {
    let fits = |other: &&Verb| other.cluster == verb.cluster && (other.side != verb.side) == opposite;
    lexicon.verbs.iter().filter(fits).count() > usize::from(!opposite)
}

/// What someone did to someone or something.
fn event(speaker: &mut Speaker) -> Event {
    let lexicon = speaker.lexicon;
    let people = speaker.coin();
    let fits = |class: &VerbClass| class.frame == Frame::Transitive && to_people(class) == people;
    let verb = speaker
        .verb_where(|class, verb| fits(class) && has(lexicon, verb, false))
        .expect("both sets have transitive verbs with synonyms");
    let objects = objects(lexicon, verb);
    let agent = speaker.noun(&["human"], &[]);
    let patient = speaker.noun_of(&objects, &[agent]);
    let site = objects.iter().any(|object| object == "building");
    Event {
        verb,
        agent: phrase(speaker, agent),
        patient: Some(phrase(speaker, patient)),
        manner: None,
        place: (!site && speaker.coin()).then(|| Place::draw(speaker)),
        time: speaker.chance(0.4).then(|| speaker.time()),
        negated: speaker.chance(0.15),
    }
}

/// What a verb is done to: people, where they can be.
fn objects(lexicon: &Lexicon, verb: usize) -> Vec<String> {
    let class = &lexicon.classes[lexicon.verbs[verb].class];
    if to_people(class) {
        vec!["human".to_owned()]
    } else {
        class.objects.clone()
    }
}

/// One or many, with a property or without.
fn phrase(speaker: &mut Speaker, noun: usize) -> Phrase {
    let plural = speaker.chance(0.3);
    let property = speaker.chance(0.3);
    let category = speaker.lexicon.category(noun);
    let property = if property {
        speaker.adjective(category)
    } else {
        None
    };
    Phrase::the(noun, plural).being(property)
}

/// An event at some distance from another, in words that are all different.
fn other(speaker: &mut Speaker, event: &Event) -> Event {
    let lexicon = speaker.lexicon;
    let closeness = speaker.unit();
    let mut other = event.clone();
    if objects(lexicon, event.verb) == ["human"]
        && speaker.chance(0.2)
        && let Some(patient) = &event.patient
    {
        other.agent = patient.clone();
        other.patient = Some(event.agent.clone());
    }
    if speaker.chance(closeness) {
        alike(speaker, &mut other);
    } else {
        other.verb = verb_apart(speaker, event.verb);
    }
    let objects = objects(lexicon, other.verb);
    other.agent = phrase_near(speaker, &other.agent, closeness, &["human".to_owned()]);
    other.patient = other
        .patient
        .map(|patient| phrase_near(speaker, &patient, closeness, &objects));
    other.place = other.place.map(|place| place_near(speaker, place, closeness));
    other.time = other.time.map(|time| time_near(speaker, time, closeness));
    other
}

/// The verb in another word that means the same. Or, as often as not, the opposite, and, as often as not, denied.
fn alike(speaker: &mut Speaker, event: &mut Event) {
    let lexicon = speaker.lexicon;
    let both = has(lexicon, &lexicon.verbs[event.verb], true) && speaker.chance(0.4);
    let opposite = if both && speaker.coin() {
        speaker.opposite_verb(event.verb)
    } else {
        speaker.same_verb(event.verb)
    };
    event.verb = opposite.unwrap_or(event.verb);
    event.negated ^= both && speaker.coin();
}

/// A verb that means something else, of the same class or of another.
fn verb_apart(speaker: &mut Speaker, verb: usize) -> usize {
    let lexicon = speaker.lexicon;
    let verb = &lexicon.verbs[verb];
    let people = to_people(&lexicon.classes[verb.class]);
    let apart = |class: &VerbClass, other: &Verb| {
        class.frame == Frame::Transitive
            && to_people(class) == people
            && other.cluster != verb.cluster
            && has(lexicon, other, false)
    };
    let of_class = if speaker.coin() {
        speaker.verb_where(|class, other| other.class == verb.class && apart(class, other))
    } else {
        None
    };
    of_class
        .or_else(|| speaker.verb_where(apart))
        .expect("both sets have many verbs")
}

/// Another noun that the verb takes: of the same category, if it takes that, or of any other.
fn phrase_near(speaker: &mut Speaker, phrase: &Phrase, closeness: f64, of: &[String]) -> Phrase {
    let lexicon = speaker.lexicon;
    let noun = head(phrase);
    let category = lexicon.category(noun);
    let takes = |other: &Category| of.iter().any(|name| other.is(name));
    let is_other = |other: &Category| other.name != category.name && takes(other);
    let only = !lexicon.categories.iter().any(is_other);
    if takes(category) && (only || speaker.chance(closeness)) {
        let other = speaker.noun(&[&category.name], &[noun]);
        let property = phrase.adjective.and_then(|adjective| {
            if speaker.chance(0.3) {
                speaker.opposite_adjective(adjective)
            } else {
                speaker.same_adjective(adjective)
            }
        });
        return Phrase::the(other, phrase.plural).being(property);
    }
    let other = speaker.noun_where(is_other, &[]);
    let property = if phrase.adjective.is_some() {
        speaker.adjective_where(lexicon.category(other), |_, adjective| {
            Some(adjective) != phrase.adjective
        })
    } else {
        None
    };
    Phrase::the(other, phrase.plural).being(property)
}

fn head(phrase: &Phrase) -> usize {
    match phrase.head {
        Head::Noun(noun) => noun,
        Head::Name(_) => usize::MAX,
    }
}

/// A place of the same category, or of another.
fn place_near(speaker: &mut Speaker, place: Place, closeness: f64) -> Place {
    let category = &speaker.lexicon.category(place.noun).name;
    let near = speaker.chance(closeness);
    let noun = speaker.noun_where(
        |other| other.is("site") && (other.name == *category) == near,
        &[place.noun],
    );
    Place::at(speaker, noun)
}

/// Another phrase for a time that is near, or for one that is not.
fn time_near(speaker: &mut Speaker, time: usize, closeness: f64) -> usize {
    let times = &speaker.lexicon.times;
    let near = speaker.chance(closeness);
    let others: Vec<usize> = (0..times.len())
        .filter(|&other| other != time && (times[other].group == times[time].group) == near)
        .collect();
    speaker.choose(&others)
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::lexicon;
    use super::*;

    fn noun(word: &str, adjective: Option<&str>) -> Phrase {
        let nouns = &lexicon().nouns;
        let noun = nouns
            .iter()
            .position(|noun| noun.one == word)
            .expect("a noun of the lexicon");
        let find = |word| lexicon().adjectives.iter().position(|a| a.word == word);
        Phrase::the(noun, false).being(adjective.and_then(find))
    }

    fn event(agent: &str, verb: &str, patient: Phrase, negated: bool) -> Event {
        let found = lexicon().verbs.iter().position(|v| v.base == verb);
        Event {
            verb: found.expect("a verb of the lexicon"),
            agent: noun(agent, None),
            patient: Some(patient),
            manner: None,
            place: None,
            time: None,
            negated,
        }
    }

    /// Weights 0.3, 0.25 and 0.25 of 0.8, by hand from the table at the top.
    #[test]
    fn scores_by_hand() {
        let base = event("nurse", "help", noun("poet", Some("rich")), false);
        let cases = [
            // The same, in other words.
            (
                event("nurse", "assist", noun("poet", Some("wealthy")), false),
                5.0,
            ),
            // Agent and patient exchanged: 5 · (0.3 + 0.25 · 0.2 + 0.25 · 0.2 · 0.85) / 0.8
            (event("poet", "help", noun("nurse", None), false), 2.453_125),
            // Another medic, his opposite: 5 · (0.3 + 0.25 · 0.8 + 0.25 · 0.6) / 0.8
            (event("doctor", "help", noun("poet", Some("poor")), false), 4.0625),
            // A verb of the class, another medic, another artist, other properties: 5 · (0.12 + 0.2 + 0.25 · 0.8 · 0.85) / 0.8
            (event("doctor", "rescue", noun("singer", None), false), 3.0625),
            // The opposite, and the opposite denied: 5 · (0.06 + 0.5) / 0.8 and 5 · (0.24 + 0.5) / 0.8
            (event("nurse", "hinder", noun("poet", Some("rich")), false), 3.5),
            (event("nurse", "hinder", noun("poet", Some("rich")), true), 4.625),
            // The same denied: 5 · (0.075 + 0.5) / 0.8
            (event("nurse", "help", noun("poet", Some("rich")), true), 3.593_75),
            // Nothing in common: nurse and vole, help and uproot, poet and oak.
            (event("vole", "uproot", noun("oak", None), false), 0.0),
        ];
        for (other, expected) in cases {
            for (a, b) in [(&base, &other), (&other, &base)] {
                let found = score(lexicon(), a, b);
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{found}, expected {expected}: {other:?}"
                );
            }
        }
    }
}
