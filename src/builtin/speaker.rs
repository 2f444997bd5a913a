//! Words by chance: a function of the seed, the purpose and how many were drawn before, from the words of one set.
//!
//! The lexicon is divided by the data seed: of each category of nouns, each class of verbs and so on, half belongs to the
//! training set and half to the development set. A sentence to train on has words of the first half alone; a sentence to
//! evaluate on takes a word from the second half with probability [`UNSEEN`], so what a model must know of it (its number,
//! its category, what it takes, what it means) no example to train on has told.

use super::lexicon::{Category, Frame, Gender, Lexicon, Verb, VerbClass, lexicon};
use crate::random::{self, Draw};

/// The probability that a word of a development sentence comes from the words that training never shows.
pub(super) const UNSEEN: f64 = 0.8;

/// Which set's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    Train,
    Dev,
    /// Of both, for text.
    All,
}

/// Which set a word belongs to; `All` stands for both.
#[derive(Debug)]
struct Homes {
    nouns: Vec<Pool>,
    verbs: Vec<Pool>,
    adjectives: Vec<Pool>,
    adverbs: Vec<Pool>,
    names: Vec<Pool>,
}

impl Homes {
    fn new(lexicon: &Lexicon, seed: u64) -> Self {
        let mut draw = Draw::new(seed, "homes");
        let mut nouns = vec![Pool::All; lexicon.nouns.len()];
        for category in &lexicon.categories {
            divide(
                &mut draw,
                &mut nouns,
                category.members.clone().map(|noun| vec![noun]).collect(),
            );
        }
        let mut verbs = vec![Pool::All; lexicon.verbs.len()];
        for (class, what) in lexicon.classes.iter().enumerate() {
            if what.frame != Frame::Converse {
                let members = (0..verbs.len()).filter(|&verb| lexicon.verbs[verb].class == class);
                let clusters = clusters(members.map(|verb| (lexicon.verbs[verb].cluster, verb)));
                divide(&mut draw, &mut verbs, clusters);
            }
        }
        let mut adjectives = vec![Pool::All; lexicon.adjectives.len()];
        let members = lexicon.adjectives.iter().enumerate();
        divide(
            &mut draw,
            &mut adjectives,
            clusters(members.map(|(i, a)| (a.cluster, i))),
        );
        let mut adverbs = vec![Pool::All; lexicon.adverbs.len()];
        let members = lexicon.adverbs.iter().enumerate();
        divide(
            &mut draw,
            &mut adverbs,
            clusters(members.map(|(i, a)| (a.cluster, i))),
        );
        let mut names = vec![Pool::All; lexicon.names.len()];
        for gender in [Gender::Female, Gender::Male] {
            let members = (0..names.len()).filter(|&name| lexicon.names[name].1 == gender);
            divide(&mut draw, &mut names, members.map(|name| vec![name]).collect());
        }
        Self {
            nouns,
            verbs,
            adjectives,
            adverbs,
            names,
        }
    }
}

/// Members of one cluster together; they follow one another.
fn clusters(members: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut clusters: Vec<(usize, Vec<usize>)> = Vec::new();
    for (cluster, member) in members {
        match clusters.last_mut() {
            Some((last, members)) if *last == cluster => members.push(member),
            _ => clusters.push((cluster, vec![member])),
        }
    }
    clusters.into_iter().map(|(_, members)| members).collect()
}

/// Clusters in turn to the one set and the other, in random order, the first to either.
fn divide(draw: &mut Draw, homes: &mut [Pool], mut clusters: Vec<Vec<usize>>) {
    draw.shuffle(&mut clusters);
    let first = draw.below(2);
    for (turn, cluster) in clusters.into_iter().enumerate() {
        for member in cluster {
            homes[member] = [Pool::Train, Pool::Dev][(turn + first) % 2];
        }
    }
}

/// Draws words and keeps a list of them.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) lexicon: &'static Lexicon,
    homes: Homes,
    pool: Pool,
    draw: Draw,
    /// The content words since the last [`Speaker::begin`].
    fillers: Vec<String>,
}

impl Speaker {
    pub(super) fn new(seed: u64, purpose: &str, pool: Pool) -> Self {
        let lexicon = lexicon();
        Self {
            lexicon,
            homes: Homes::new(lexicon, seed),
            pool,
            draw: Draw::new(seed, purpose),
            fillers: Vec::new(),
        }
    }

    /// Forgets the words of the sentence before.
    pub(super) fn begin(&mut self) {
        self.fillers.clear();
    }

    /// The words drawn since then.
    pub(super) fn fillers(&self) -> String {
        self.fillers.join(",")
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        self.draw.below(n)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.draw.below(2) == 1
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        random::unit(self.draw.bits())
    }

    pub(super) fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        self.draw.choose(from)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.draw.shuffle(items);
    }

    /// One of the candidates, as the set allows; `None` if it allows none.
    fn pick(&mut self, candidates: Vec<usize>, homes: impl Fn(&Homes, usize) -> Pool) -> Option<usize> {
        let unseen = self.pool == Pool::Dev && self.chance(UNSEEN);
        let wanted = match self.pool {
            Pool::All => None,
            Pool::Dev if unseen => Some(Pool::Dev),
            _ => Some(Pool::Train),
        };
        let of = |wanted: Option<Pool>| -> Vec<usize> {
            let fits = |&c: &usize| {
                let home = homes(&self.homes, c);
                wanted.is_none_or(|wanted| home == wanted || home == Pool::All)
            };
            candidates.iter().copied().filter(fits).collect()
        };
        let mut left = of(wanted);
        if left.is_empty() && self.pool == Pool::Dev {
            left = of(None);
        }
        (!left.is_empty()).then(|| self.choose(&left))
    }

    /// A noun of a category, hypernym or kind of one of these names, and none of those to avoid.
    pub(super) fn noun(&mut self, of: &[&str], avoid: &[usize]) -> usize {
        self.noun_where(|category| of.iter().any(|name| category.is(name)), avoid)
    }

    /// A noun whose category is as asked for.
    pub(super) fn noun_where(&mut self, fits: impl Fn(&Category) -> bool, avoid: &[usize]) -> usize {
        // By category first, so that large ones are not heard all the time.
        let categories: Vec<&Category> = self.lexicon.categories.iter().filter(|c| fits(c)).collect();
        loop {
            let category = self.choose(&categories);
            let members = category
                .members
                .clone()
                .filter(|noun| !avoid.contains(noun))
                .collect();
            if let Some(noun) = self.pick(members, |homes, noun| homes.nouns[noun]) {
                self.fillers.push(self.lexicon.nouns[noun].one.clone());
                return noun;
            }
        }
    }

    /// A noun that may be the subject of a class of verbs, or its object.
    pub(super) fn noun_of(&mut self, names: &[String], avoid: &[usize]) -> usize {
        self.noun_where(|category| names.iter().any(|name| category.is(name)), avoid)
    }

    /// A verb that is, with its class, as asked for, or `None`.
    pub(super) fn verb_where(&mut self, fits: impl Fn(&VerbClass, &Verb) -> bool) -> Option<usize> {
        let lexicon = self.lexicon;
        let candidates = (0..lexicon.verbs.len()).filter(|&v| {
            let verb = &lexicon.verbs[v];
            fits(&lexicon.classes[verb.class], verb)
        });
        let verb = self.pick(candidates.collect(), |homes, verb| homes.verbs[verb])?;
        self.fillers.push(lexicon.verbs[verb].base.clone());
        Some(verb)
    }

    /// A verb that one does to another, both of these categories.
    pub(super) fn deed(&mut self, subject: &Category, object: &Category) -> usize {
        self.verb_where(|class, _| {
            class.frame == Frame::Transitive && class.takes_subject(subject) && class.takes_object(object)
        })
        .expect("people and animals do things to each other")
    }

    /// A verb of a frame that has no other.
    pub(super) fn strict(&mut self, frame: Frame) -> usize {
        self.verb_where(|class, verb| class.frame == frame && !verb.loose)
            .expect("both sets have strict verbs")
    }

    /// A verb of a frame.
    pub(super) fn verb(&mut self, frame: Frame) -> usize {
        self.verb_where(|class, _| class.frame == frame)
            .expect("both sets have verbs of every frame")
    }

    /// An intransitive verb for this subject.
    pub(super) fn intransitive(&mut self, subject: &Category) -> usize {
        self.verb_where(|class, _| class.frame == Frame::Intransitive && class.takes_subject(subject))
            .expect("people and animals have intransitive verbs")
    }

    /// An adjective that may be said of a noun of this category and is as asked for, or `None`.
    pub(super) fn adjective_where(
        &mut self,
        of: &Category,
        fits: impl Fn(&Lexicon, usize) -> bool,
    ) -> Option<usize> {
        let lexicon = self.lexicon;
        let candidates = (0..lexicon.adjectives.len()).filter(|&a| {
            let nouns = &lexicon.dimensions[lexicon.adjectives[a].dimension];
            nouns.iter().any(|name| of.is(name)) && fits(lexicon, a)
        });
        let adjective = self.pick(candidates.collect(), |homes, a| homes.adjectives[a])?;
        self.fillers.push(lexicon.adjectives[adjective].word.clone());
        Some(adjective)
    }

    /// An adjective that may be said of a noun of this category.
    pub(super) fn adjective(&mut self, of: &Category) -> Option<usize> {
        self.adjective_where(of, |_, _| true)
    }

    /// An adverb of manner that is as asked for.
    pub(super) fn adverb_where(&mut self, fits: impl Fn(&Lexicon, usize) -> bool) -> usize {
        let candidates = (0..self.lexicon.adverbs.len()).filter(|&a| fits(self.lexicon, a));
        let adverb = self
            .pick(candidates.collect(), |homes, a| homes.adverbs[a])
            .expect("both sets have adverbs");
        self.fillers.push(self.lexicon.adverbs[adverb].word.clone());
        adverb
    }

    /// An adverb of manner.
    pub(super) fn adverb(&mut self) -> usize {
        self.adverb_where(|_, _| true)
    }

    /// A name, of this gender if one is given.
    pub(super) fn name(&mut self, gender: Option<Gender>) -> usize {
        let fits = |&name: &usize| gender.is_none_or(|gender| self.lexicon.names[name].1 == gender);
        let candidates = (0..self.lexicon.names.len()).filter(fits).collect();
        let name = self
            .pick(candidates, |homes, name| homes.names[name])
            .expect("both sets have names");
        self.fillers.push(self.lexicon.names[name].0.clone());
        name
    }

    /// A phrase that says when.
    pub(super) fn time(&mut self) -> usize {
        let time = self.below(self.lexicon.times.len());
        self.fillers.push(self.lexicon.times[time].phrase.clone());
        time
    }
}
