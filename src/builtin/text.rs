//! Plain English from the grammar, to learn the words from: short paragraphs, one sentence a line.
//!
//! What the tasks ask is said here in context: that a heron is a bird and what birds do, that someone wealthy is rich and not
//! poor, who bought when another sold, what follows from what. A third of the paragraphs are two sentences of which a word
//! says how they agree (`judged`). Many others are ordinary sentences of every construction that the grammar knows.

mod judged;
mod logic;
mod words;

use super::grammar::{Event, Form, Head, Phrase, Place};
use super::inflect::sentence;
use super::lexicon::{Frame, Gender};
use super::speaker::{Pool, Speaker};
use super::{BUILTINS, acceptability};
use std::collections::HashSet;

/// A paragraph.
type Lines = Vec<String>;

/// The kinds of paragraphs; one of them is drawn for each.
const KINDS: [fn(&mut Speaker) -> Lines; 26] = [
    story,
    story,
    notes,
    notes,
    words::kind,
    words::kind,
    words::property,
    words::property,
    words::deed,
    words::manner,
    words::forms,
    words::forms,
    logic::quantifiers,
    logic::transfer,
    logic::comparison,
    logic::claims,
    logic::order_and_success,
    judged::reasoning,
    judged::reasoning,
    judged::reasoning,
    judged::rewording,
    judged::rewording,
    judged::rewording,
    judged::likeness,
    judged::likeness,
    judged::likeness,
];

/// Paragraphs with a blank line between them, cut after this many sentences; none of them is in a development set of the data
/// seed 0.
///
/// The same seed gives the same bytes on every machine, and more sentences begin with fewer.
///
/// # Examples
/// ```
/// let text = cwgnc::builtin::text(1, 100);
/// assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 100);
/// assert!(cwgnc::builtin::text(1, 200).starts_with(text.trim_end()));
/// ```
pub fn text(seed: u64, sentences: usize) -> String {
    let kept_back = development_sentences();
    let mut speaker = Speaker::new(seed, "text", Pool::All);
    let (mut text, mut count) = (String::new(), 0);
    while count < sentences {
        speaker.begin();
        let mut lines = speaker.choose(&KINDS)(&mut speaker);
        let mut said = HashSet::new();
        let bare = |line: &str| {
            line.split_once(judged::MARK)
                .map_or(line, |(_, said)| said)
                .to_owned()
        };
        lines.retain(|line| !kept_back.contains(&bare(line)) && said.insert(bare(line)));
        if lines.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        for line in lines.into_iter().take(sentences - count) {
            text.push_str(&line);
            text.push('\n');
            count += 1;
        }
    }
    text
}

/// Every sentence of the development sets of the data seed 0.
fn development_sentences() -> HashSet<String> {
    let sets = BUILTINS.map(|task| task.generate(0).dev.examples);
    let examples = sets.into_iter().flatten();
    examples
        .flat_map(|example| std::iter::once(example.text_a).chain(example.text_b))
        .collect()
}

fn line(words: &str) -> String {
    sentence(words)
}

/// A person, with `the` or by name.
fn person(speaker: &mut Speaker, avoid: &[usize]) -> Phrase {
    if speaker.chance(0.2) {
        return Phrase::name(speaker.name(None));
    }
    speaker.phrase(&["human".to_owned()], avoid, 0.3)
}

/// The nouns of phrases.
fn heads(phrases: &[&Phrase]) -> Vec<usize> {
    let nouns = phrases.iter().filter_map(|phrase| match phrase.head {
        Head::Noun(noun) => Some(noun),
        Head::Name(_) => None,
    });
    nouns.collect()
}

/// The subject's and the object's form of the pronoun for a phrase.
fn pronoun(speaker: &mut Speaker, phrase: &Phrase) -> [&'static str; 2] {
    let (animate, gender) = match phrase.head {
        Head::Noun(noun) => {
            let human = speaker.lexicon.category(noun).is("human");
            (human, speaker.lexicon.nouns[noun].gender)
        }
        Head::Name(name) => (true, speaker.lexicon.names[name].1),
    };
    match gender {
        _ if phrase.plural => ["they", "them"],
        _ if !animate => ["it", "it"],
        Gender::Male => ["he", "him"],
        Gender::Female => ["she", "her"],
        Gender::Open => speaker.choose(&[["he", "him"], ["she", "her"]]),
    }
}

/// The phrase again without its adjective, as its category, or as it is.
fn again(speaker: &mut Speaker, phrase: &Phrase) -> Phrase {
    let mut again = phrase.clone().being(None);
    if let Some(own) = speaker.category_of(phrase).and_then(|category| category.noun)
        && speaker.chance(0.3)
    {
        again.head = Head::Noun(own);
    }
    again
}

/// Something that someone did.
fn event(speaker: &mut Speaker, agent: Option<&Phrase>) -> Event {
    let lexicon = speaker.lexicon;
    let agent = agent.cloned().unwrap_or_else(|| person(speaker, &[]));
    let intransitive = speaker.chance(0.25);
    let verb = if intransitive {
        let category = speaker.category_of(&agent).unwrap_or(&lexicon.categories[0]);
        speaker.intransitive(category)
    } else {
        let frame = if speaker.chance(0.05) {
            Frame::Optional
        } else {
            Frame::Transitive
        };
        let category = speaker.category_of(&agent).unwrap_or(&lexicon.categories[0]);
        speaker
            .verb_where(|class, _| class.frame == frame && class.takes_subject(category))
            .unwrap_or_else(|| speaker.intransitive(category))
    };
    let class = &lexicon.classes[lexicon.verbs[verb].class];
    let patient = (!class.objects.is_empty()).then(|| {
        let people = class.objects.iter().any(|object| object == "human");
        if people && speaker.chance(0.6) {
            return person(speaker, &heads(&[&agent]));
        }
        speaker.phrase(&class.objects, &heads(&[&agent]), 0.4)
    });
    let indoors = class.objects.iter().any(|object| object == "building");
    Event {
        verb,
        patient,
        manner: speaker.chance(0.2).then(|| speaker.adverb()),
        place: (!indoors && speaker.chance(0.35)).then(|| Place::draw(speaker)),
        time: speaker.chance(0.2).then(|| speaker.time()),
        negated: speaker.chance(0.1),
        agent,
    }
}

fn say(speaker: &mut Speaker, event: &Event) -> String {
    let form = Form::draw(speaker, event);
    line(&event.say(speaker.lexicon, form))
}

/// What happened to someone, in a few sentences: said again in other words, and what came next.
fn story(speaker: &mut Speaker) -> Lines {
    let first = event(speaker, None);
    let mut lines = vec![say(speaker, &first)];
    for _ in 0..=speaker.below(3) {
        let next = match (speaker.below(4), &first.patient) {
            // The same in other words.
            (0, Some(patient)) => {
                let patient = again(speaker, patient);
                let verb = speaker.same_verb(first.verb).unwrap_or(first.verb);
                let agent = again(speaker, &first.agent);
                Event {
                    verb,
                    agent,
                    patient: Some(patient),
                    manner: None,
                    place: None,
                    time: None,
                    ..first.clone()
                }
            }
            // What the other did.
            (1, Some(patient))
                if speaker
                    .category_of(patient)
                    .is_none_or(|c| c.is("human") || c.is("beast")) =>
            {
                let other = again(speaker, patient);
                event(speaker, Some(&other))
            }
            _ => {
                let other = again(speaker, &first.agent);
                event(speaker, Some(&other))
            }
        };
        lines.push(say(speaker, &next));
    }
    lines
}

/// Sentences of every construction.
fn notes(speaker: &mut Speaker) -> Lines {
    let count = 2 + speaker.below(3);
    (0..count)
        .map(|_| {
            let (_, make) = speaker.choose(&acceptability::PHENOMENA);
            make(speaker, true)
        })
        .collect()
}
