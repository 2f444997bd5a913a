//! The words: nouns in a taxonomy, verbs with what they take, adjectives by dimension, adverbs, names, times.
//!
//! The texts in `lexicon/` are the source; each says in its first lines how it is to be read. A *cluster* is a set of words
//! that mean the same (`side` 0) together with those that mean the opposite (`side` 1).

mod read;

use std::ops::Range;
use std::sync::LazyLock;

/// How a noun or a name is referred back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gender {
    Male,
    Female,
    /// Unknown for people, `it` for the rest.
    Open,
}

/// A noun.
#[derive(Debug)]
pub(super) struct Noun {
    pub(super) one: String,
    pub(super) many: String,
    pub(super) gender: Gender,
    /// Its category; of a category's own noun, that category.
    pub(super) category: usize,
}

/// Nouns of one kind: sparrows and herons are birds, birds are animals.
#[derive(Debug)]
pub(super) struct Category {
    /// The category's own noun, unless nobody says it.
    pub(super) noun: Option<usize>,
    pub(super) name: String,
    pub(super) hypernym: String,
    /// `human`, `beast`, `thing` or `site`.
    pub(super) kind: String,
    pub(super) members: Range<usize>,
}

impl Category {
    /// Whether a category, a hypernym or a kind of this name includes it.
    pub(super) fn is(&self, name: &str) -> bool {
        [&self.name, &self.hypernym, &self.kind]
            .iter()
            .any(|own| *own == name)
    }
}

/// What a verb takes; `lexicon/verbs.txt` defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Transitive,
    Optional,
    Intransitive,
    Dative,
    Converse,
}

impl VerbClass {
    /// Whether a noun of this category can be the subject.
    pub(super) fn takes_subject(&self, category: &Category) -> bool {
        self.subjects.iter().any(|name| category.is(name))
    }

    /// Whether it can be the object.
    pub(super) fn takes_object(&self, category: &Category) -> bool {
        self.objects.iter().any(|name| category.is(name))
    }
}

/// Verbs that select alike.
#[derive(Debug)]
pub(super) struct VerbClass {
    pub(super) name: String,
    pub(super) frame: Frame,
    pub(super) subjects: Vec<String>,
    pub(super) objects: Vec<String>,
}

/// A verb with its forms.
#[derive(Debug)]
pub(super) struct Verb {
    pub(super) base: String,
    pub(super) third: String,
    pub(super) past: String,
    pub(super) participle: String,
    pub(super) ing: String,
    /// Whether it has other frames than its class.
    pub(super) loose: bool,
    /// Whether things can do it, not people and animals alone.
    pub(super) of_things: bool,
    pub(super) class: usize,
    pub(super) cluster: usize,
    pub(super) side: u8,
}

/// An adjective.
#[derive(Debug)]
pub(super) struct Adjective {
    pub(super) word: String,
    /// The form with -er, where it has one.
    pub(super) more: Option<String>,
    pub(super) dimension: usize,
    pub(super) cluster: usize,
    pub(super) side: u8,
}

/// An adverb of manner.
#[derive(Debug)]
pub(super) struct Adverb {
    pub(super) word: String,
    pub(super) cluster: usize,
    pub(super) side: u8,
}

/// A phrase that says when.
#[derive(Debug)]
pub(super) struct Time {
    pub(super) phrase: String,
    /// Phrases of one cluster mean the same.
    pub(super) cluster: usize,
    /// Those of one group are near to each other.
    pub(super) group: usize,
}

/// Everything that the texts in `lexicon/` say.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    pub(super) nouns: Vec<Noun>,
    pub(super) categories: Vec<Category>,
    /// Words above the categories, as in animal: (the word, its plural).
    pub(super) hypernyms: Vec<(String, String)>,
    pub(super) verbs: Vec<Verb>,
    pub(super) classes: Vec<VerbClass>,
    pub(super) adjectives: Vec<Adjective>,
    /// The nouns that each dimension is said of.
    pub(super) dimensions: Vec<Vec<String>>,
    pub(super) adverbs: Vec<Adverb>,
    pub(super) names: Vec<(String, Gender)>,
    pub(super) times: Vec<Time>,
    /// What is so of a category or hypernym: (its name, sayings).
    pub(super) facts: Vec<(String, Vec<String>)>,
}

/// The lexicon, read once.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
        let mut lexicon = Lexicon::default();
        lexicon.read_nouns(include_str!("lexicon/nouns.txt"));
        lexicon.read_verbs(
            include_str!("lexicon/verbs.txt"),
            include_str!("lexicon/irregular.txt"),
        );
        lexicon.read_adjectives(include_str!("lexicon/adjectives.txt"));
        lexicon.read_adverbs(include_str!("lexicon/adverbs.txt"));
        lexicon.read_names(include_str!("lexicon/names.txt"));
        lexicon.read_times(include_str!("lexicon/times.txt"));
        lexicon.read_facts(include_str!("lexicon/facts.txt"));
        lexicon
    });
    &LEXICON
}

impl Lexicon {
    /// The category of a noun.
    pub(super) fn category(&self, noun: usize) -> &Category {
        &self.categories[self.nouns[noun].category]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The words are written once, every one has its place, and nothing in the texts is misread.
    #[test]
    fn the_texts_are_sound() {
        let lexicon = lexicon();
        let unique = |words: Vec<&String>| {
            let set: BTreeSet<_> = words.iter().collect();
            assert_eq!(set.len(), words.len(), "a word is there twice");
        };
        unique(lexicon.nouns.iter().map(|noun| &noun.one).collect());
        unique(lexicon.nouns.iter().map(|noun| &noun.many).collect());
        unique(lexicon.verbs.iter().map(|verb| &verb.base).collect());
        unique(
            lexicon
                .adjectives
                .iter()
                .map(|adjective| &adjective.word)
                .collect(),
        );
        unique(lexicon.adverbs.iter().map(|adverb| &adverb.word).collect());
        unique(lexicon.names.iter().map(|name| &name.0).collect());
        let known = |name: &String| lexicon.categories.iter().any(|category| category.is(name));
        let selected = lexicon
            .classes
            .iter()
            .flat_map(|class| class.subjects.iter().chain(&class.objects));
        let described = lexicon
            .dimensions
            .iter()
            .flatten()
            .chain(lexicon.facts.iter().map(|fact| &fact.0));
        for name in selected.chain(described) {
            assert!(known(name), "`{name}` is no category, hypernym or kind");
        }
        assert!(lexicon.nouns.len() > 450 && lexicon.verbs.len() > 250 && lexicon.adjectives.len() > 120);
        let letters = |word: &str| word.chars().all(char::is_alphabetic);
        assert!(
            lexicon
                .nouns
                .iter()
                .all(|noun| letters(&noun.one) && letters(&noun.many))
        );
        assert!(
            lexicon
                .verbs
                .iter()
                .all(|verb| letters(&verb.base) && letters(&verb.participle))
        );
    }

    #[test]
    fn forms_and_marks() {
        let verb = |base: &str| {
            let found = lexicon().verbs.iter().find(|verb| verb.base == base);
            found.expect("a verb of the lexicon")
        };
        let forms = |base: &str| {
            let verb = verb(base);
            [&verb.third, &verb.past, &verb.participle, &verb.ing].map(String::as_str)
        };
        assert_eq!(forms("steal"), ["steals", "stole", "stolen", "stealing"]);
        assert_eq!(forms("envy"), ["envies", "envied", "envied", "envying"]);
        assert_eq!(forms("trap"), ["traps", "trapped", "trapped", "trapping"]);
        assert_eq!(forms("lie"), ["lies", "lied", "lied", "lying"]);
        assert!(
            verb("carry").of_things && !verb("carry").loose && verb("bake").loose && !verb("devour").loose
        );
        let (rich, needy) = ("rich", "needy");
        let adjective = |word: &str| {
            lexicon()
                .adjectives
                .iter()
                .find(|a| a.word == word)
                .map(|a| (a.cluster, a.side))
        };
        assert_eq!(adjective(rich).map(|a| a.0), adjective(needy).map(|a| a.0));
        assert_ne!(adjective(rich), adjective(needy));
        let mouse = lexicon()
            .nouns
            .iter()
            .find(|noun| noun.one == "mouse")
            .expect("a noun of the lexicon");
        assert_eq!(
            (
                mouse.many.as_str(),
                lexicon().categories[mouse.category].name.as_str()
            ),
            ("mice", "rodent")
        );
    }
}
