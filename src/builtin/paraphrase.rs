//! Do two sentences say the same? The second is always reworded; in the ones that do not, one thing is changed as well.
//!
//! Rewording: active and passive, the order of giver's objects, buying and selling, adverbs and phrases moved, words that mean
//! the same. The change leaves the same words behind as the rewording does: roles, properties, negations or times are
//! exchanged, or one of the words that are replaced means the opposite.

use super::grammar::{Event, Form, Front, Head, Phrase, Place, words};
use super::inflect::sentence;
use super::lexicon::{Frame, VerbClass};
use super::speaker::Speaker;

/// Makes two sentences that say the same, or do not.
type Make = fn(&mut Speaker, bool) -> (String, String);

/// The families of sentences, by name.
pub(super) const FAMILIES: [(&str, Make); 6] = [
    ("encounter", encounter),
    ("handling", handling),
    ("giving", giving),
    ("sequence", sequence),
    ("contrast", contrast),
    ("relative", relative),
];

fn pair(first: &str, second: &str) -> (String, String) {
    (sentence(first), sentence(second))
}

fn people() -> [String; 1] {
    ["human".to_owned()]
}

fn head(phrase: &Phrase) -> usize {
    match phrase.head {
        Head::Noun(noun) => noun,
        Head::Name(_) => usize::MAX,
    }
}

/// Where a word of an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Verb,
    Manner,
    Agent,
    Patient,
}

/// The event with the word of a slot replaced by one that means the same or the opposite, if there is one.
fn replaced(speaker: &mut Speaker, event: &Event, slot: Slot, opposite: bool) -> Option<Event> {
    let mut event = event.clone();
    let adjective = |speaker: &mut Speaker, adjective: usize| {
        if opposite {
            speaker.opposite_adjective(adjective)
        } else {
            speaker.same_adjective(adjective)
        }
    };
    match slot {
        Slot::Verb if opposite => event.verb = speaker.opposite_verb(event.verb)?,
        Slot::Verb => event.verb = speaker.same_verb(event.verb)?,
        Slot::Manner => event.manner = Some(speaker.other_adverb(event.manner?, opposite)?),
        Slot::Agent => event.agent.adjective = Some(adjective(speaker, event.agent.adjective?)?),
        Slot::Patient => {
            let patient = event.patient.as_mut()?;
            patient.adjective = Some(adjective(speaker, patient.adjective?)?);
        }
    }
    Some(event)
}

/// Some words replaced by others: all of them mean the same, or the first means the opposite. `None` if none can be.
///
/// The first is a word that has both a word for the same and one for the opposite, and so have these, so that no word is met
/// more often after the one change than after the other.
fn reworded(speaker: &mut Speaker, event: &Event, same: bool) -> Option<Event> {
    let mut slots = [Slot::Verb, Slot::Manner, Slot::Agent, Slot::Patient];
    speaker.shuffle(&mut slots);
    let first = slots.into_iter().find_map(|slot| {
        let alike = replaced(speaker, event, slot, false)?;
        let opposite = replaced(speaker, event, slot, true)?;
        replaced(speaker, &opposite, slot, false)?;
        Some((slot, if same { alike } else { opposite }))
    });
    let (slot, mut event) = first?;
    if speaker.coin()
        && let Some(place) = event.place
    {
        event.place = Some(place.reworded());
    }
    let mut others = slots.into_iter().filter(|other| *other != slot);
    if speaker.coin()
        && let Some(more) = others.find_map(|slot| replaced(speaker, &event, slot, false))
    {
        event = more;
    }
    Some(event)
}

/// What was done to whom, with everything that may be said beside it.
fn event(speaker: &mut Speaker, fits: impl Fn(&VerbClass) -> bool) -> Event {
    let lexicon = speaker.lexicon;
    let verb = speaker
        .verb_where(|class, _| class.frame == Frame::Transitive && fits(class))
        .expect("both sets have transitive verbs");
    let class = &lexicon.classes[lexicon.verbs[verb].class];
    let agent = speaker.phrase(&people(), &[], 0.5);
    let patient = speaker.phrase(&class.objects, &[head(&agent)], 0.5);
    let indoors = class.objects.iter().any(|object| object == "building");
    Event {
        verb,
        manner: speaker.coin().then(|| speaker.adverb()),
        place: (!indoors && speaker.coin()).then(|| Place::draw(speaker)),
        time: speaker.chance(0.4).then(|| speaker.time()),
        agent,
        patient: Some(patient),
        negated: false,
    }
}

/// Says both, in any two forms; in two that differ if `moved`.
fn both(speaker: &mut Speaker, first: &Event, second: &Event, moved: bool) -> (String, String) {
    let lexicon = speaker.lexicon;
    let one = Form::draw(speaker, first);
    let other = loop {
        let other = Form::draw(speaker, second);
        let adverb = one.early != other.early && first.manner.is_some();
        if !moved || one.passive != other.passive || one.front != other.front || adverb {
            break other;
        }
    };
    pair(&first.say(lexicon, one), &second.say(lexicon, other))
}

/// People and people: roles or properties exchanged, or a word that means the opposite.
fn encounter(speaker: &mut Speaker, same: bool) -> (String, String) {
    let lexicon = speaker.lexicon;
    loop {
        let mut event = event(speaker, |class| {
            class.objects.iter().any(|object| object == "human")
        });
        let Some(patient) = event.patient.clone() else {
            continue;
        };
        let shape = speaker.below(3);
        let mut other = event.clone();
        if shape == 0 {
            if !same {
                other.agent = patient;
                other.patient = Some(event.agent.clone());
            }
        } else if shape == 1 {
            // Two properties that either may have.
            let people = &lexicon.categories[0];
            let mine = speaker.adjective(people);
            let yours = speaker.adjective_where(people, |lexicon, a| {
                mine.is_some_and(|m| lexicon.adjectives[m].cluster != lexicon.adjectives[a].cluster)
            });
            event.patient = Some(patient.being(yours));
            event.agent.adjective = mine;
            let (mine, yours) = if same { (mine, yours) } else { (yours, mine) };
            other.agent = event.agent.clone().being(mine);
            other.patient = event.patient.clone().map(|patient| patient.being(yours));
        } else {
            match reworded(speaker, &event, same) {
                Some(reworded) => other = reworded,
                None => continue,
            }
        }
        // Beside the change, a word that means the same, as often for either answer.
        if shape < 2
            && speaker.coin()
            && let Some(reworded) = reworded(speaker, &other, true)
        {
            other = reworded;
        }
        if event.say(lexicon, Form::PLAIN) != other.say(lexicon, Form::PLAIN) || same {
            return both(speaker, &event, &other, shape < 2);
        }
    }
}

/// People and things: a word that means the opposite.
fn handling(speaker: &mut Speaker, same: bool) -> (String, String) {
    loop {
        let event = event(speaker, |class| {
            class.objects.iter().all(|object| object != "human")
        });
        if let Some(other) = reworded(speaker, &event, same) {
            return both(speaker, &event, &other, false);
        }
    }
}

/// From one to another: giver and taker exchanged.
fn giving(speaker: &mut Speaker, same: bool) -> (String, String) {
    let lexicon = speaker.lexicon;
    let converse = speaker.chance(0.4);
    let verb = speaker.verb(if converse { Frame::Converse } else { Frame::Dative });
    let objects = lexicon.classes[lexicon.verbs[verb].class].objects.clone();
    let from = speaker.phrase(&people(), &[], 0.4);
    let to = speaker.phrase(&people(), &[head(&from)], 0.4).say(lexicon);
    let thing = speaker.phrase(&objects, &[], 0.5).say(lexicon);
    let time = if speaker.coin() {
        &lexicon.times[speaker.time()].phrase
    } else {
        ""
    };
    let from = from.say(lexicon);
    let (giver, taker) = if same { (&from, &to) } else { (&to, &from) };
    let early = speaker.coin();
    let finish = |clause: String, front: bool| {
        if front && !time.is_empty() {
            words([&format!("{time},"), &clause])
        } else {
            words([&clause, time])
        }
    };
    if converse {
        let other = speaker.opposite_verb(verb).unwrap_or(verb);
        let gives = lexicon.verbs[verb].side == 0;
        let way = |gives: bool| if gives { "to" } else { "from" };
        let first = words([&from, &lexicon.verbs[verb].past, &thing, way(gives), &to]);
        let second = words([taker, &lexicon.verbs[other].past, &thing, way(!gives), giver]);
        return pair(&finish(first, early), &finish(second, !early));
    }
    let other = if speaker.coin() {
        speaker.same_verb(verb).unwrap_or(verb)
    } else {
        verb
    };
    let say = |verb: usize, double: bool, giver: &str, taker: &str| {
        let past = &lexicon.verbs[verb].past;
        if double {
            words([giver, past, taker, &thing])
        } else {
            words([giver, past, &thing, "to", taker])
        }
    };
    let double = speaker.coin();
    let (first, second) = (say(verb, double, &from, &to), say(other, !double, giver, taker));
    pair(&finish(first, early), &finish(second, speaker.coin()))
}

/// Someone and what he did, as words.
fn act(speaker: &mut Speaker, avoid: &[usize]) -> (usize, String, usize) {
    let lexicon = speaker.lexicon;
    let subject = speaker.phrase(&people(), avoid, 0.4);
    let verb = speaker.intransitive(&lexicon.categories[0]);
    (head(&subject), subject.say(lexicon), verb)
}

/// Two acts one after the other: `A before B` is `B after A`.
fn sequence(speaker: &mut Speaker, same: bool) -> (String, String) {
    let lexicon = speaker.lexicon;
    let (noun, first, did) = act(speaker, &[]);
    let (_, second, other) = act(speaker, &[noun]);
    let again = if speaker.coin() {
        speaker.same_verb(other).unwrap_or(other)
    } else {
        other
    };
    let past = |verb: usize| lexicon.verbs[verb].past.as_str();
    let before = speaker.coin();
    let word = |before: bool| if before { "before" } else { "after" };
    let one = words([&first, past(did), word(before), &second, past(other)]);
    // With the clauses exchanged the word must be exchanged too; with the word in front neither.
    let text = if speaker.coin() {
        words([&second, past(again), word(before != same), &first, past(did)])
    } else {
        let front = word(before == same);
        words([front, &second, &format!("{},", past(again)), &first, past(did)])
    };
    pair(&one, &text)
}

/// Two acts, one of which was not done: which?
fn contrast(speaker: &mut Speaker, same: bool) -> (String, String) {
    let lexicon = speaker.lexicon;
    let (noun, first, did) = act(speaker, &[]);
    let (_, second, other) = act(speaker, &[noun]);
    let word = speaker.choose(&["but", "and", "while"]);
    let negated = speaker.coin();
    // The perfect keeps the form of the verb: "had not slept", where "did not sleep" would show what has changed.
    let say = |subject: &str, verb: usize, negated: bool| {
        let not = if negated { "not" } else { "" };
        words([subject, "had", not, &lexicon.verbs[verb].participle])
    };
    let again = if speaker.coin() {
        speaker.same_verb(did).unwrap_or(did)
    } else {
        did
    };
    let one = words([&say(&first, did, negated), word, &say(&second, other, !negated)]);
    let negated = negated == same;
    pair(
        &one,
        &words([&say(&second, other, !negated), word, &say(&first, again, negated)]),
    )
}

/// A property of the one or the other, in a relative clause.
fn relative(speaker: &mut Speaker, same: bool) -> (String, String) {
    let lexicon = speaker.lexicon;
    let mut event = event(speaker, |class| {
        class.objects.iter().any(|object| object == "human")
    });
    (event.manner, event.time) = (None, None);
    event.place = event.place.filter(|_| speaker.coin());
    event.agent.adjective = None;
    event.patient = Some(speaker.phrase(&people(), &[head(&event.agent)], 0.3));
    let verb = &lexicon.verbs[speaker.intransitive(&lexicon.categories[0])].participle;
    let clause = words(["that had", verb]);
    let of_agent = speaker.coin();
    let attached = |event: &Event, of_agent: bool| {
        let mut event = event.clone();
        if of_agent {
            event.agent.after.clone_from(&clause);
        } else if let Some(patient) = &mut event.patient {
            patient.after.clone_from(&clause);
        }
        event
    };
    let other = if speaker.coin() {
        reworded(speaker, &event, true)
    } else {
        None
    };
    let other = other.unwrap_or_else(|| event.clone());
    let (first, second) = (attached(&event, of_agent), attached(&other, of_agent == same));
    let form = Form {
        passive: speaker.coin(),
        early: false,
        front: Front::Nothing,
    };
    let again = Form {
        passive: !form.passive,
        ..form
    };
    pair(&first.say(lexicon, form), &second.say(lexicon, again))
}
