//! Packs for one's own policy: as many cases as one wants, of every class, in the policy and the element types that a
//! clipper is made for.
//!
//! A case is a function of the seed, its class and its number, not of the cases before it; large ones are made when they
//! are asked for and never kept. The cases of a smaller count are the first ones of a larger.

mod maker;
mod names;
mod odd;
mod recipes;
mod shapes;
mod template;

use super::draw::Draw;
use super::pack::{Class, NamedCase, Pack};
use crate::oracle::{Case, Declared, Format};
use maker::Maker;
use recipes::ROUND;
pub use template::{Template, WantedError};

/// What a pack for one's own policy should have.
///
/// # Examples
/// ```
/// use cwgnc::cases::{Class, Pack, Wanted};
/// use cwgnc::oracle::Format;
///
/// let wanted = Wanted {
///     formats: vec![Format::F32, Format::Bf16],
///     count: 40,
///     without: vec![Class::Magnitude],
///     ..Wanted::default()
/// };
/// let cases: Vec<_> = Pack::cases_for(&"component:*@torch".parse()?, &wanted)?.collect();
/// assert_eq!(cases.len(), 40);
/// assert!(cases.iter().all(|named| named.class != "magnitude"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The element types; the cases take turns. From two on there are cases that mix them.
    pub formats: Vec<Format>,
    /// How many cases.
    pub count: usize,
    /// The seed.
    pub seed: u64,
    /// Classes to leave out.
    pub without: Vec<Class>,
    /// The elements of the largest component. 100,000 reaches beyond every index of 16 bits and stays quick; up to
    /// 16,777,216 there are more lengths around powers of two and of ten.
    pub largest: usize,
    /// The arithmetic that tolerances are derived from.
    pub declared: Declared,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            formats: vec![Format::F32],
            count: 300,
            seed: 0,
            without: Vec::new(),
            largest: 100_000,
            declared: Declared::default(),
        }
    }
}

impl Wanted {
    /// One element type, and the usual for everything else.
    pub fn of(format: Format) -> Self {
        Self {
            formats: vec![format],
            ..Self::default()
        }
    }

    /// The classes of a round that a policy and these wishes leave.
    fn round(&self, template: &Template) -> Vec<Class> {
        let fits = |class: &Class| match class {
            Class::Mixed => self.formats.len() > 1,
            Class::History => template.policy().is_stateful(),
            // What lies around a threshold, or is one, is about rules that have one.
            Class::Straddle => template.policy().rule.threshold().is_some(),
            _ => true,
        };
        let wanted = ROUND.into_iter().filter(|class| !self.without.contains(class));
        wanted.filter(fits).collect()
    }
}

/// The cases for one's own policy, made one by one. [`Pack::cases_for`] starts it.
#[derive(Clone, Debug)]
pub struct PolicyCases {
    template: Template,
    wanted: Wanted,
    round: Vec<Class>,
    /// The next place in the endless list of rounds.
    at: usize,
    made: usize,
}

/// Cases in a row that may turn out not to be well formed before a policy is given up.
const PATIENCE: usize = 200;

impl Pack {
    /// Cases for one's own policy, as many as wanted.
    ///
    /// What a source refuses is not asked: every case can be judged. Each is made when the iterator comes to it.
    ///
    /// # Errors
    /// If nothing is wanted, or no case of the policy can be judged.
    pub fn cases_for(template: &Template, wanted: &Wanted) -> Result<PolicyCases, WantedError> {
        let round = wanted.round(template);
        let nothing = match () {
            () if wanted.formats.is_empty() => Some("element type"),
            () if wanted.count == 0 => Some("case"),
            () if wanted.largest == 0 => Some("element"),
            () if round.is_empty() => Some("class"),
            () => None,
        };
        if let Some(nothing) = nothing {
            return Err(WantedError::Nothing(nothing));
        }
        let cases = PolicyCases {
            template: template.clone(),
            wanted: wanted.clone(),
            round,
            at: 0,
            made: 0,
        };
        // Whether any can be judged shows at once.
        cases.clone().step().map_err(WantedError::Refused)?;
        Ok(cases)
    }
}

impl PolicyCases {
    /// The case of a class with a number, and what it is about, or why there is none.
    fn case(&self, class: Class, number: usize, by_chance: bool) -> Result<(&'static str, Case), String> {
        let formats = &self.wanted.formats;
        let mut maker = Maker {
            template: &self.template,
            wanted: &self.wanted,
            draw: Draw::new(self.wanted.seed, &format!("{} {number}", class.name())),
            format: formats[number % formats.len()],
            k: number / formats.len(),
            by_chance,
        };
        let made = maker.make(class);
        let note = made.note;
        Ok((note, maker.finish(made)?))
    }

    /// A case by chance, for strategies: any class, any number.
    #[cfg(feature = "proptest")]
    pub(super) fn by_chance(&self, bits: u64) -> Case {
        let mut draw = Draw::new(bits, "by chance");
        let mut tries = 0..PATIENCE;
        let found = tries.find_map(|_| {
            let class = draw.choose(&self.round);
            self.case(class, draw.below(1 << 30), true).ok()
        });
        found.map_or_else(
            || Case::new(self.template.policy().clone(), Vec::new()),
            |(_, case)| case,
        )
    }

    /// The next case that can be judged, or why none of the next ones can.
    fn step(&mut self) -> Result<NamedCase, String> {
        let mut last = String::new();
        for _ in 0..PATIENCE {
            let (turn, place) = (self.at / self.round.len(), self.at % self.round.len());
            self.at += 1;
            let class = self.round[place];
            // The number among the cases of the class.
            let often = self.round.iter().filter(|&&other| other == class).count();
            let before = self.round[..place]
                .iter()
                .filter(|&&other| other == class)
                .count();
            match self.case(class, turn * often + before, false) {
                Ok((note, case)) => {
                    self.made += 1;
                    return Ok(NamedCase {
                        name: format!("policy-{:04}-{}", self.made - 1, class.name()),
                        pack: self.template.to_string(),
                        class: class.name().to_owned(),
                        note: note.to_owned(),
                        seed: self.wanted.seed,
                        case,
                    });
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }
}

impl Iterator for PolicyCases {
    type Item = NamedCase;

    fn next(&mut self) -> Option<NamedCase> {
        if self.made == self.wanted.count {
            return None;
        }
        self.step().ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.wanted.count - self.made))
    }
}
