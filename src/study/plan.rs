//! Which runs a study has: tasks × seeds × conditions, each with its settings.
//!
//! ```text
//! settings of a run = common, replaced by the task's, replaced by the condition's, and its seed
//! ```
//!
//! The order of the plan is task by task, within it seed by seed, within it condition by condition, so that a study
//! that is cut short has all conditions on the same seeds.

use super::presets::SEEDS;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is wrong with a plan, in words that name the part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyError(pub String);

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StudyError {}

/// Settings by name, each once, in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<(String, String)>);

impl Settings {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets or replaces a value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(pair) => pair.1 = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// These settings, with those of `others` in place of their own.
    #[must_use]
    pub fn with(mut self, others: &Self) -> Self {
        for (name, value) in others.iter() {
            self.set(name, value);
        }
        self
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn sorted(&self) -> BTreeMap<&str, &str> {
        self.iter().collect()
    }
}

/// A task or a condition: a name that can be a folder's, and what it sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name, as [`folder_name`] leaves it.
    pub name: String,
    /// What it sets.
    pub settings: Settings,
}

/// A study that is ready to be run: nothing in it depends on a preset or a default any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Study {
    /// What every run sets.
    pub common: Settings,
    /// The tasks.
    pub tasks: Vec<Part>,
    /// The conditions.
    pub conditions: Vec<Part>,
    /// The seeds.
    pub seeds: Vec<u64>,
}

/// One run of a study.
#[derive(Clone, Copy, Debug)]
pub struct PlannedRun<'s> {
    /// Its place in the plan, from 1.
    pub number: usize,
    /// What every run sets.
    pub common: &'s Settings,
    /// Its task.
    pub task: &'s Part,
    /// Its condition.
    pub condition: &'s Part,
    /// Its seed.
    pub seed: u64,
}

impl PlannedRun<'_> {
    /// `rte/component-0.05/seed-1`: its name, and its folder under the study's `runs`.
    pub fn id(&self) -> String {
        format!("{}/{}/seed-{}", self.task.name, self.condition.name, self.seed)
    }

    /// Everything it sets but the seed.
    pub fn settings(&self) -> Settings {
        self.common
            .clone()
            .with(&self.task.settings)
            .with(&self.condition.settings)
    }
}

impl Study {
    /// Every run, in the order of the plan.
    pub fn runs(&self) -> Vec<PlannedRun<'_>> {
        let mut runs = Vec::with_capacity(self.tasks.len() * self.seeds.len() * self.conditions.len());
        for task in &self.tasks {
            for &seed in &self.seeds {
                for condition in &self.conditions {
                    runs.push(PlannedRun {
                        number: runs.len() + 1,
                        common: &self.common,
                        task,
                        condition,
                        seed,
                    });
                }
            }
        }
        runs
    }

    /// Whether the parts make a study.
    ///
    /// # Errors
    /// [`StudyError`] if there is no task, condition or seed, if one is there twice, or if two conditions set the same.
    pub fn check(&self) -> Result<(), StudyError> {
        let fail = |text: String| Err(StudyError(text));
        for (what, count) in [
            ("task", self.tasks.len()),
            ("condition", self.conditions.len()),
            ("seed", self.seeds.len()),
        ] {
            if count == 0 {
                return fail(format!("the study has no run: it has no {what}"));
            }
        }
        for (what, parts) in [("task", &self.tasks), ("condition", &self.conditions)] {
            let mut seen = BTreeSet::new();
            for part in parts {
                if !seen.insert(&part.name) {
                    return fail(format!("{what} `{}` is there twice", part.name));
                }
            }
        }
        let mut seeds = BTreeSet::new();
        if let Some(twice) = self.seeds.iter().find(|seed| !seeds.insert(**seed)) {
            return fail(format!("seed {twice} is there twice"));
        }
        for (i, a) in self.conditions.iter().enumerate() {
            let same = |b: &&Part| {
                let full = |part: &Part| self.common.clone().with(&part.settings);
                full(a).sorted() == full(b).sorted()
            };
            if let Some(b) = self.conditions[i + 1..].iter().find(same) {
                return fail(format!("conditions `{}` and `{}` set the same", a.name, b.name));
            }
        }
        Ok(())
    }

    /// Where two studies differ, one line each; empty if they have the same runs.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut lines = settings_differences("every run", &self.common, &now.common);
        for (what, was, now) in [
            ("task", &self.tasks, &now.tasks),
            ("condition", &self.conditions, &now.conditions),
        ] {
            let names = |parts: &[Part]| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
            if names(was) != names(now) {
                let (was, now) = (names(was).join(", "), names(now).join(", "));
                lines.push(format!("{what}s: was {was}; now {now}"));
            }
            for part in was {
                if let Some(other) = now.iter().find(|other| other.name == part.name) {
                    let place = format!("{what} {}", part.name);
                    lines.extend(settings_differences(&place, &part.settings, &other.settings));
                }
            }
        }
        if self.seeds != now.seeds {
            lines.push(format!("seeds: was {:?}; now {:?}", self.seeds, now.seeds));
        }
        lines
    }
}

fn settings_differences(place: &str, was: &Settings, now: &Settings) -> Vec<String> {
    let (was, now) = (was.sorted(), now.sorted());
    let names: BTreeSet<&str> = was.keys().chain(now.keys()).copied().collect();
    let shown = |settings: &BTreeMap<&str, &str>, name: &str| {
        settings
            .get(name)
            .map_or("not set".to_owned(), |value| (*value).to_owned())
    };
    names
        .into_iter()
        .filter(|name| was.get(name) != now.get(name))
        .map(|name| {
            format!(
                "{place}: {name}: was {}; now {}",
                shown(&was, name),
                shown(&now, name)
            )
        })
        .collect()
}

/// A name that can be a folder's: letters, digits, `.`, `_` and `+` stay, everything between them becomes one `-`.
pub fn folder_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, '.' | '_' | '+') {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_end_matches('-')
        .trim_start_matches(['.', '-'])
        .to_owned()
}

/// Seeds from text: `5` is the first five of the paper's 30, `1,2,3` is a list, `101-140` a range with both ends, and
/// `7,` the one seed 7.
///
/// # Errors
/// [`StudyError`] with what would be right.
pub fn parse_seeds(text: &str) -> Result<Vec<u64>, StudyError> {
    let fail = |why: String| StudyError(format!("seeds `{text}`: {why}"));
    let number = |piece: &str| {
        let piece = piece.trim();
        piece.parse::<u64>().map_err(|_| {
            fail(format!(
                "`{piece}` is not a seed; give a count (5), a list (1,2,3) or a range (101-140)"
            ))
        })
    };
    if !text.contains([',', '-']) {
        let count = number(text)? as usize;
        return SEEDS.get(..count).map(<[u64]>::to_vec).ok_or_else(|| {
            fail(format!(
                "the paper has {} seeds; give a list or a range (1-{count}) for more",
                SEEDS.len()
            ))
        });
    }
    let mut seeds = Vec::new();
    for piece in text.trim_end_matches(',').split(',') {
        match piece.split_once('-') {
            None => seeds.push(number(piece)?),
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last || last - first >= 1_000_000 {
                    return Err(fail(format!(
                        "{first}-{last} is no range of at most a million seeds"
                    )));
                }
                seeds.extend(first..=last);
            }
        }
    }
    Ok(seeds)
}

/// One part of a study's runs: those whose number is `index` modulo `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Shard {
    /// Whether the run with this number belongs to it. Every run belongs to one shard.
    pub fn has(self, number: usize) -> bool {
        number % self.count == self.index % self.count
    }
}

impl std::str::FromStr for Shard {
    type Err = StudyError;

    fn from_str(text: &str) -> Result<Self, StudyError> {
        let numbers = text
            .split_once('/')
            .map(|(i, n)| (i.parse::<u32>(), n.parse::<u32>()));
        match numbers {
            Some((Ok(index), Ok(count))) if (1..=count).contains(&index) => Ok(Self {
                index: index as usize,
                count: count as usize,
            }),
            _ => Err(StudyError("must be I/N with I from 1 to N, as in 2/4".to_owned())),
        }
    }
}
