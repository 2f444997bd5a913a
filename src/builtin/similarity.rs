//! How near are two sentences in meaning, from 0 to 5?
//!
//! ```text
//! score = 5 · Σ w·s / Σ w        over the roles that the sentences have
//!
//! role      weight w   likeness s
//! verb      0.30       same or synonym 1, opposite 0.2, same class 0.4, other 0; where one of the two is negated,
//!                      opposite 0.8, else a quarter of that
//! agent     0.25       noun: same 1, its category 0.8, same category 0.4, same hypernym 0.1, other 0;
//! patient   0.25         times, where both or one have an adjective: same or synonym 1, other or none 0.85, opposite 0.6
//! place     0.10       same 1, same place but another relation 0.6, same category of place 0.4, other 0
//! time      0.10       same 1, near 0.4, other 0
//! ```
//!
//! Roles are compared with roles: exchanging agent and patient keeps every word and loses half of the score. `Did not ignore`
//! is near to `greeted`, and `did not greet` is not.

use super::grammar::{Event, Form, Head, Phrase, Place};
use super::inflect::sentence;
use super::lexicon::{Frame, Lexicon, VerbClass};
use super::speaker::Speaker;

/// The standard deviation of the annotators' noise in the training set.
pub(super) const NOISE: f64 = 0.25;

/// Likeness of two nouns.
fn nouns(lexicon: &Lexicon, a: usize, b: usize) -> f64 {
    let (one, other) = (&lexicon.nouns[a], &lexicon.nouns[b]);
    let (category, another) = (lexicon.category(a), lexicon.category(b));
    if a == b {
        1.0
    } else if one.category == other.category {
        let category = category.noun;
        if category == Some(a) || category == Some(b) {
            0.8
        } else {
            0.4
        }
    } else if category.hypernym == another.hypernym {
        0.1
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
    match (a.noun == b.noun, a.relation == b.relation) {
        (true, true) => 1.0,
        (true, false) => 0.6,
        _ if lexicon.nouns[a.noun].category == lexicon.nouns[b.noun].category => 0.4,
        _ => 0.0,
    }
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

/// What someone did to someone or something.
fn event(speaker: &mut Speaker) -> Event {
    let lexicon = speaker.lexicon;
    let people = speaker.chance(0.75);
    let fits = |class: &VerbClass| class.frame == Frame::Transitive && to_people(class) == people;
    let verb = speaker
        .verb_where(|class, _| fits(class))
        .expect("both sets have transitive verbs");
    let class = &lexicon.classes[lexicon.verbs[verb].class];
    let agent = speaker.phrase(&["human".to_owned()], &[], 0.3);
    let patient = match agent.head {
        _ if people => speaker.phrase(&["human".to_owned()], &[head(&agent)], 0.3),
        _ => speaker.phrase(&class.objects, &[], 0.3),
    };
    let site = class.objects.iter().any(|object| object == "building");
    Event {
        verb,
        agent,
        patient: Some(patient),
        manner: None,
        place: (!site && speaker.chance(0.5)).then(|| Place::draw(speaker)),
        time: speaker.chance(0.4).then(|| speaker.time()),
        negated: speaker.chance(0.15),
    }
}

fn head(phrase: &Phrase) -> usize {
    match phrase.head {
        Head::Noun(noun) => noun,
        Head::Name(_) => usize::MAX,
    }
}

/// An event at some distance from another.
fn other(speaker: &mut Speaker, event: &Event) -> Event {
    let lexicon = speaker.lexicon;
    let closeness = speaker.unit();
    let mut other = event.clone();
    let people = to_people(&lexicon.classes[lexicon.verbs[event.verb].class]);
    let exchanged = people && speaker.chance(0.45);
    if exchanged && let Some(patient) = &event.patient {
        other.agent = patient.clone();
        other.patient = Some(event.agent.clone());
    }
    // What is exchanged keeps its words, so that words are no measure of meaning.
    let closeness = if exchanged {
        1.0 - closeness * closeness
    } else {
        closeness
    };
    other.verb = verb_near(speaker, event.verb, closeness);
    let class = &lexicon.classes[lexicon.verbs[other.verb].class];
    other.agent = phrase_near(speaker, &other.agent, closeness, &["human".to_owned()]);
    let objects = if people {
        vec!["human".to_owned()]
    } else {
        class.objects.clone()
    };
    other.patient = other
        .patient
        .map(|patient| phrase_near(speaker, &patient, closeness, &objects));
    other.place = other.place.map(|place| place_near(speaker, place, closeness));
    other.time = other.time.map(|time| time_near(speaker, time, closeness));
    if speaker.chance(0.2) {
        other.negated = !other.negated;
        // As often the opposite that is denied as the same.
        if speaker.coin() {
            other.verb = speaker.opposite_verb(event.verb).unwrap_or(other.verb);
        }
    }
    other
}

/// A verb that means the same where there is one, the opposite, one of the class, or another.
fn verb_near(speaker: &mut Speaker, verb: usize, closeness: f64) -> usize {
    let lexicon = speaker.lexicon;
    if speaker.chance(closeness) {
        return if speaker.chance(0.8) {
            speaker.same_verb(verb).unwrap_or(verb)
        } else {
            verb
        };
    }
    let class = lexicon.verbs[verb].class;
    let people = to_people(&lexicon.classes[class]);
    if speaker.chance(0.4)
        && let Some(opposite) = speaker.opposite_verb(verb)
    {
        return opposite;
    }
    let near = speaker.coin();
    speaker
        .verb_where(|other, found| {
            let of_class = if people {
                to_people(other)
            } else {
                other.objects == lexicon.classes[class].objects
            };
            other.frame == Frame::Transitive && of_class && (!near || found.class == class)
        })
        .unwrap_or(verb)
}

/// The same phrase, its category, or another noun that the verb takes, near or far.
fn phrase_near(speaker: &mut Speaker, phrase: &Phrase, closeness: f64, of: &[String]) -> Phrase {
    let lexicon = speaker.lexicon;
    let noun = head(phrase);
    let category = lexicon.category(noun);
    let fits = of.iter().any(|name| category.is(name));
    if fits && speaker.chance(closeness) {
        let mut same = phrase.clone();
        if speaker.chance(0.2)
            && let Some(own) = category.noun
        {
            same.head = Head::Noun(own);
        }
        if let Some(adjective) = same.adjective {
            let other = if speaker.chance(0.3) {
                speaker.opposite_adjective(adjective)
            } else {
                speaker.same_adjective(adjective)
            };
            same.adjective = other.or(Some(adjective));
        }
        return same;
    }
    let sibling = fits && speaker.chance(0.5);
    let other = if sibling {
        speaker.noun(&[&category.name], &[noun])
    } else {
        speaker.noun_of(of, &[noun])
    };
    let adjective = if phrase.adjective.is_some() && speaker.coin() {
        speaker.adjective(lexicon.category(other))
    } else {
        None
    };
    Phrase::the(other, phrase.plural).being(adjective)
}

/// The same place in other words, another way to be there, or another place.
fn place_near(speaker: &mut Speaker, place: Place, closeness: f64) -> Place {
    if speaker.chance(closeness) {
        return if speaker.chance(0.7) {
            place.reworded()
        } else {
            place
        };
    }
    match speaker.below(3) {
        0 => place.elsewhere(speaker).unwrap_or(place),
        1 => {
            let category = &speaker.lexicon.category(place.noun).name;
            let noun = speaker.noun(&[category], &[place.noun]);
            Place::at(speaker, noun)
        }
        _ => Place::draw(speaker),
    }
}

/// The same time in other words, or another.
fn time_near(speaker: &mut Speaker, time: usize, closeness: f64) -> usize {
    let times = &speaker.lexicon.times;
    let same: Vec<usize> = (0..times.len())
        .filter(|&t| times[t].cluster == times[time].cluster)
        .collect();
    if speaker.chance(closeness) {
        speaker.choose(&same)
    } else {
        speaker.time()
    }
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
            // Agent and patient exchanged: 5 · (0.3 + 0.25 · 0.1 + 0.25 · 0.1 · 0.85) / 0.8
            (event("poet", "help", noun("nurse", None), false), 2.164_062_5),
            // Her category, his opposite: 5 · (0.3 + 0.25 · 0.8 + 0.25 · 0.6) / 0.8
            (event("medic", "help", noun("poet", Some("poor")), false), 4.0625),
            // A verb of the class, another medic, another artist, other properties: 5 · (0.12 + 0.1 + 0.25 · 0.4 · 0.85) / 0.8
            (event("doctor", "rescue", noun("singer", None), false), 1.906_25),
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
