//! From the texts in this folder to the lexicon.

use super::super::inflect::{with_ed, with_er, with_ing, with_s};
use super::{Adjective, Adverb, Category, Frame, Gender, Lexicon, Noun, Time, Verb, VerbClass};

/// The lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The words of a heading `[a b c]`.
fn heading(line: &str) -> Option<Vec<&str>> {
    let inside = line.strip_prefix('[')?.strip_suffix(']')?;
    Some(inside.split_whitespace().collect())
}

fn list(text: &str, separator: char) -> Vec<String> {
    text.split(separator)
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The words of a cluster with their sides.
fn sides(line: &str) -> impl Iterator<Item = (u8, &str)> {
    let sides = (0_u8..).zip(line.split('~'));
    sides.flat_map(|(side, words)| words.split('=').map(move |word| (side, word.trim())))
}

/// `mouse/mice` to the two, `cat` to cat and cats.
fn number(word: &str) -> (String, String) {
    match word.split_once('/') {
        Some((one, many)) => (one.to_owned(), many.to_owned()),
        None => (word.to_owned(), with_s(word)),
    }
}

impl Lexicon {
    pub(super) fn read_nouns(&mut self, text: &str) {
        for line in lines(text) {
            if let Some(words) = heading(line) {
                let spoken = !words[0].starts_with('*');
                let (one, many) = number(words[0].trim_start_matches('*'));
                let (name, category) = (one.clone(), self.categories.len());
                let noun = spoken.then_some(self.nouns.len());
                if spoken {
                    self.nouns.push(Noun {
                        one,
                        many,
                        gender: Gender::Open,
                        category,
                    });
                }
                if self.hypernyms.iter().all(|known| known.0 != words[1]) {
                    let many = if words[1] == "person" {
                        "people".to_owned()
                    } else {
                        with_s(words[1])
                    };
                    self.hypernyms.push((words[1].to_owned(), many));
                }
                self.categories.push(Category {
                    noun,
                    name,
                    hypernym: words[1].to_owned(),
                    kind: words[2].to_owned(),
                    members: self.nouns.len()..self.nouns.len(),
                });
                continue;
            }
            let category = self.categories.len() - 1;
            for word in list(line, ',') {
                let (word, gender) = match word.split_once(':') {
                    Some((word, "m")) => (word, Gender::Male),
                    Some((word, _)) => (word, Gender::Female),
                    None => (word.as_str(), Gender::Open),
                };
                let (one, many) = number(word);
                self.nouns.push(Noun {
                    one,
                    many,
                    gender,
                    category,
                });
            }
            self.categories[category].members.end = self.nouns.len();
        }
    }

    pub(super) fn read_verbs(&mut self, text: &str, irregular: &str) {
        let irregular: Vec<Vec<&str>> = lines(irregular).map(|line| line.split(' ').collect()).collect();
        for (cluster, line) in lines(text).enumerate() {
            if let Some(words) = heading(line) {
                let frame = match words[1] {
                    "transitive" => Frame::Transitive,
                    "optional" => Frame::Optional,
                    "intransitive" => Frame::Intransitive,
                    "dative" => Frame::Dative,
                    _ => Frame::Converse,
                };
                let objects = words.get(4).map_or(Vec::new(), |objects| list(objects, '+'));
                self.classes.push(VerbClass {
                    name: words[0].to_owned(),
                    frame,
                    subjects: list(words[2], '+'),
                    objects,
                });
                continue;
            }
            for (side, marked) in sides(line) {
                let base = marked.trim_end_matches(['?', '!']);
                let forms = irregular.iter().find(|forms| forms[0] == base);
                let past = forms.map_or_else(|| with_ed(base), |forms| forms[1].to_owned());
                let participle = forms.and_then(|forms| forms.get(2));
                self.verbs.push(Verb {
                    base: base.to_owned(),
                    third: with_s(base),
                    participle: participle.map_or_else(|| past.clone(), |&form| form.to_owned()),
                    ing: with_ing(base, &past),
                    past,
                    loose: marked.contains('?'),
                    of_things: marked.contains('!'),
                    class: self.classes.len() - 1,
                    cluster,
                    side,
                });
            }
        }
    }

    pub(super) fn read_adjectives(&mut self, text: &str) {
        for (cluster, line) in lines(text).enumerate() {
            if let Some(words) = heading(line) {
                self.dimensions.push(list(words[1], '+'));
                continue;
            }
            for (side, word) in sides(line) {
                let (word, more) = match word.strip_suffix('+') {
                    Some(word) => (word, Some(with_er(word))),
                    None => (word, None),
                };
                let (word, dimension) = (word.to_owned(), self.dimensions.len() - 1);
                self.adjectives.push(Adjective {
                    word,
                    more,
                    dimension,
                    cluster,
                    side,
                });
            }
        }
    }

    pub(super) fn read_adverbs(&mut self, text: &str) {
        for (cluster, line) in lines(text).enumerate() {
            self.adverbs.extend(sides(line).map(|(side, word)| Adverb {
                word: word.to_owned(),
                cluster,
                side,
            }));
        }
    }

    pub(super) fn read_names(&mut self, text: &str) {
        for (gender, names) in lines(text).filter_map(|line| line.split_once(": ")) {
            let gender = if gender == "m" {
                Gender::Male
            } else {
                Gender::Female
            };
            self.names
                .extend(list(names, ',').into_iter().map(|name| (name, gender)));
        }
    }

    pub(super) fn read_times(&mut self, text: &str) {
        let mut group = 0;
        for (cluster, line) in text.lines().enumerate() {
            group += usize::from(line.is_empty());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            self.times.extend(sides(line).map(|(_, phrase)| Time {
                phrase: phrase.to_owned(),
                cluster,
                group,
            }));
        }
    }

    pub(super) fn read_facts(&mut self, text: &str) {
        let facts = lines(text).filter_map(|line| line.split_once(": "));
        self.facts = facts
            .map(|(name, sayings)| (name.to_owned(), list(sayings, ';')))
            .collect();
    }
}
