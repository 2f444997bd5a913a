//! Phrases and clauses: from structure to words.
//!
//! A clause is an [`Event`]: who did what to whom, how, where and when. It has several forms that say the same
//! ([`Form`]): active or passive, the adverb before the verb or after its object, the place or the time in front.

use super::lexicon::{Category, Gender, Lexicon, Noun, Verb};
use super::speaker::Speaker;

/// What a noun phrase is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Noun(usize),
    Name(usize),
}

/// A noun phrase: `the old falcon`, `some ferries`, `Anna`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phrase {
    pub(super) determiner: &'static str,
    pub(super) adjective: Option<usize>,
    pub(super) head: Head,
    pub(super) plural: bool,
    /// What follows the noun: `near the lake`.
    pub(super) after: String,
}

impl Phrase {
    /// `the` and a noun.
    pub(super) fn the(noun: usize, plural: bool) -> Self {
        Self {
            determiner: "the",
            adjective: None,
            head: Head::Noun(noun),
            plural,
            after: String::new(),
        }
    }

    /// A name.
    pub(super) fn name(name: usize) -> Self {
        Self {
            determiner: "",
            head: Head::Name(name),
            ..Self::the(0, false)
        }
    }

    /// The same with another determiner.
    pub(super) fn with(mut self, determiner: &'static str) -> Self {
        self.determiner = determiner;
        self
    }

    /// The same with an adjective.
    pub(super) fn being(mut self, adjective: Option<usize>) -> Self {
        self.adjective = adjective;
        self
    }

    /// The same, with words after the noun.
    pub(super) fn followed(mut self, after: impl Into<String>) -> Self {
        self.after = after.into();
        self
    }

    /// The words.
    pub(super) fn say(&self, lexicon: &Lexicon) -> String {
        let head = match self.head {
            Head::Noun(noun) => number(&lexicon.nouns[noun], self.plural),
            Head::Name(name) => &lexicon.names[name].0,
        };
        let adjective = self.adjective.map_or("", |a| &lexicon.adjectives[a].word);
        words([self.determiner, adjective, head, &self.after])
    }

    /// `himself`, `herself`, `themselves`, or `None` for a person of unknown gender.
    pub(super) fn reflexive(&self, lexicon: &Lexicon) -> Option<&'static str> {
        if self.plural {
            return Some("themselves");
        }
        let gender = match self.head {
            Head::Noun(noun) => lexicon.nouns[noun].gender,
            Head::Name(name) => lexicon.names[name].1,
        };
        match gender {
            Gender::Male => Some("himself"),
            Gender::Female => Some("herself"),
            Gender::Open => None,
        }
    }
}

/// The form of a noun.
pub(super) fn number(noun: &Noun, plural: bool) -> &str {
    if plural { &noun.many } else { &noun.one }
}

/// Words with single blanks between them, empty ones left out.
pub(super) fn words<const N: usize>(parts: [&str; N]) -> String {
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// Prepositions of place that mean the same, one row each, with the places they go with.
const PREPOSITIONS: [(&[&str], &[&str]); 5] = [
    (&["in", "inside"], &["room", "building", "shop"]),
    (&["near", "close to"], &["building", "shop", "water"]),
    (&["outside"], &["building", "shop"]),
    (&["in"], &["ground"]),
    (&["beside", "next to"], &["water"]),
];

/// Where: `near the lake`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// A row of the prepositions.
    pub(super) relation: usize,
    /// A word of that row.
    pub(super) preposition: &'static str,
    pub(super) noun: usize,
}

impl Place {
    /// Anywhere.
    pub(super) fn draw(speaker: &mut Speaker) -> Self {
        let noun = speaker.noun(&["site"], &[]);
        Self::at(speaker, noun)
    }

    /// At this place, with any preposition that goes with it.
    pub(super) fn at(speaker: &mut Speaker, noun: usize) -> Self {
        let category = speaker.lexicon.category(noun);
        let fits = |row: &usize| PREPOSITIONS[*row].1.iter().any(|name| category.is(name));
        let rows: Vec<usize> = (0..PREPOSITIONS.len()).filter(fits).collect();
        let relation = speaker.choose(&rows);
        Self {
            relation,
            preposition: speaker.choose(PREPOSITIONS[relation].0),
            noun,
        }
    }

    /// In other words, if there are any.
    pub(super) fn reworded(mut self) -> Self {
        let others = PREPOSITIONS[self.relation].0.iter();
        if let Some(other) = others.copied().find(|&word| word != self.preposition) {
            self.preposition = other;
        }
        self
    }

    /// The words.
    pub(super) fn say(&self, lexicon: &Lexicon) -> String {
        words([self.preposition, "the", &lexicon.nouns[self.noun].one])
    }
}

/// What happened, in the past.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) verb: usize,
    pub(super) agent: Phrase,
    pub(super) patient: Option<Phrase>,
    pub(super) manner: Option<usize>,
    pub(super) place: Option<Place>,
    pub(super) time: Option<usize>,
    pub(super) negated: bool,
}

/// What stands in front of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Nothing,
    Place,
    Time,
}

/// One way of saying an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) passive: bool,
    /// The adverb before the verb.
    pub(super) early: bool,
    pub(super) front: Front,
}

impl Form {
    /// Active, the adverb last, nothing in front.
    pub(super) const PLAIN: Self = Self {
        passive: false,
        early: false,
        front: Front::Nothing,
    };

    /// Any form that this event has.
    pub(super) fn draw(speaker: &mut Speaker, event: &Event) -> Self {
        let front = match speaker.below(4) {
            0 if event.place.is_some() => Front::Place,
            1 if event.time.is_some() => Front::Time,
            _ => Front::Nothing,
        };
        Self {
            passive: event.patient.is_some() && speaker.coin(),
            early: speaker.coin(),
            front,
        }
    }
}

impl Event {
    /// The words, without the mark at the end.
    pub(super) fn say(&self, lexicon: &Lexicon, form: Form) -> String {
        let place = self.place.map_or(String::new(), |place| place.say(lexicon));
        let time = self.time.map_or("", |time| &lexicon.times[time].phrase);
        let (front, place, time) = match form.front {
            Front::Place if !place.is_empty() => (format!("{place},"), String::new(), time),
            Front::Time if !time.is_empty() => (format!("{time},"), place, ""),
            _ => (String::new(), place, time),
        };
        words([front.as_str(), &self.clause(lexicon, form), &place, time])
    }

    /// Subject, verb, object and adverb.
    pub(super) fn clause(&self, lexicon: &Lexicon, form: Form) -> String {
        let verb = &lexicon.verbs[self.verb];
        let manner = self.manner.map_or("", |manner| &lexicon.adverbs[manner].word);
        let (early, late) = if form.early { (manner, "") } else { ("", manner) };
        let agent = self.agent.say(lexicon);
        let patient = self.patient.as_ref().map(|patient| patient.say(lexicon));
        match (&patient, &self.patient) {
            (Some(text), Some(patient)) if form.passive => {
                let not = if self.negated { "not" } else { "" };
                let be = was(patient.plural);
                words([text, be, not, early, &verb.participle, "by", &agent, late])
            }
            _ => {
                let (not, form) = finite(verb, self.negated);
                let object = patient.as_deref().unwrap_or("");
                words([&agent, not, early, form, object, late])
            }
        }
    }
}

/// The past, or `did not` and the base.
pub(super) fn finite(verb: &Verb, negated: bool) -> (&'static str, &str) {
    if negated {
        ("did not", &verb.base)
    } else {
        ("", &verb.past)
    }
}

/// `was` or `were`.
pub(super) fn was(plural: bool) -> &'static str {
    if plural { "were" } else { "was" }
}

impl Speaker {
    /// A noun phrase with `the`, about a noun of one of these names, with an adjective at this probability.
    pub(super) fn phrase(&mut self, of: &[String], avoid: &[usize], adjective: f64) -> Phrase {
        let noun = self.noun_of(of, avoid);
        let plural = self.chance(0.3);
        let adjective = if self.chance(adjective) {
            self.adjective(self.lexicon.category(noun))
        } else {
            None
        };
        Phrase::the(noun, plural).being(adjective)
    }

    /// What this phrase's noun is.
    pub(super) fn category_of(&self, phrase: &Phrase) -> Option<&'static Category> {
        match phrase.head {
            Head::Noun(noun) => Some(self.lexicon.category(noun)),
            Head::Name(_) => None,
        }
    }

    /// A verb of the same cluster and side but another word, if there is one.
    pub(super) fn same_verb(&mut self, verb: usize) -> Option<usize> {
        self.other_verb(verb, false)
    }

    /// A verb that means the opposite, if there is one.
    pub(super) fn opposite_verb(&mut self, verb: usize) -> Option<usize> {
        self.other_verb(verb, true)
    }

    fn other_verb(&mut self, verb: usize, opposite: bool) -> Option<usize> {
        let verbs = &self.lexicon.verbs;
        let of = |v: usize| (verbs[v].cluster, verbs[v].side);
        self.other(verbs.len(), verb, opposite, of)
    }

    /// An adjective that means the same, if there is one.
    pub(super) fn same_adjective(&mut self, adjective: usize) -> Option<usize> {
        self.other_adjective(adjective, false)
    }

    /// An adjective that means the opposite, if there is one.
    pub(super) fn opposite_adjective(&mut self, adjective: usize) -> Option<usize> {
        self.other_adjective(adjective, true)
    }

    fn other_adjective(&mut self, adjective: usize, opposite: bool) -> Option<usize> {
        let adjectives = &self.lexicon.adjectives;
        let of = |a: usize| (adjectives[a].cluster, adjectives[a].side);
        self.other(adjectives.len(), adjective, opposite, of)
    }

    /// An adverb that means the same, or the opposite, if there is one.
    pub(super) fn other_adverb(&mut self, adverb: usize, opposite: bool) -> Option<usize> {
        let adverbs = &self.lexicon.adverbs;
        let of = |a: usize| (adverbs[a].cluster, adverbs[a].side);
        self.other(adverbs.len(), adverb, opposite, of)
    }

    /// Another word of the cluster, on the same side or on the other.
    fn other(
        &mut self,
        count: usize,
        word: usize,
        opposite: bool,
        of: impl Fn(usize) -> (usize, u8),
    ) -> Option<usize> {
        let (cluster, side) = of(word);
        let fits = |&w: &usize| w != word && of(w).0 == cluster && (of(w).1 != side) == opposite;
        let others: Vec<usize> = (0..count).filter(fits).collect();
        (!others.is_empty()).then(|| self.choose(&others))
    }
}
