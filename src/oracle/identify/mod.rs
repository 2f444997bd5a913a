//! Which convention and which partition an output came from.
//!
//! Every policy of [`suspects`] is tried at the case's threshold. One *fits in bits* if for each component some norm gives
//! all bits of its elements, and the declared arithmetic can compute that norm: any order of summation where nothing is
//! declared. What fits in bits is a tie, however far the norm must be off, because how far a library's sum is off says
//! nothing about its formula: ranking by it named wrong conventions for real outputs. A declaration, or the norms of more
//! components and elements, break ties; what several formulas have in common cannot be told apart by anybody, and
//! [`Tie`] says what it is. Only if nothing fits in bits do tolerances count, tight sums before loose ones.
//!
//! Elements of 16 bits: libraries keep norm and scale in the elements' type or in `F32`, so both are tried unless the
//! declaration says which; and since some square in 16 bits, a norm may also be off by one rounding to them.

mod closer;
mod few;
mod fit;
mod suspects;
mod threshold;
mod tie;

use super::case::{Case, OracleError};
use super::component::Component;
use super::declared::{Declared, Reduction};
use super::exact::Norm;
use super::expect::{Expected, assemble, measure_sharing};
use super::format::Format;
use super::implied::Look;
use super::judge::pair;
use super::tensor::Tensor;
use super::totals::Totals;
use super::verdict::Verdict;
use crate::clip::{ClipPolicy, Partition, Rule, Statistic, Threshold};
pub(super) use closer::closer;
use few::few;
use std::cmp::Ordering;

use suspects::suspects;
pub use threshold::{Inferred, infer};
pub use tie::Tie;

/// How well a policy explains an output; from good to bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// Every bit, for norms that this arithmetic can give.
    Bits {
        /// How loose it is among those that were tried: 0 is the correctly rounded norm.
        rung: usize,
        /// The arithmetic.
        needs: Declared,
        /// By how many units in the last place of the elements' type a norm must at least be off.
        ulps: u64,
    },
    /// Every element within the tolerance of this arithmetic.
    Tolerance {
        /// As above.
        rung: usize,
        /// The arithmetic.
        needs: Declared,
    },
    /// Not at all.
    No,
}

impl Fit {
    /// What fits in bits is equal.
    fn grade(self) -> usize {
        match self {
            Self::Bits { .. } => 0,
            Self::Tolerance { rung, .. } => rung + 1,
            Self::No => usize::MAX,
        }
    }

    /// The order in which equals are listed.
    fn rung(self) -> usize {
        match self {
            Self::Bits { rung, .. } | Self::Tolerance { rung, .. } => rung,
            Self::No => 0,
        }
    }
}

impl PartialOrd for Fit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((self.grade(), self.rung()).cmp(&(other.grade(), other.rung())))
    }
}

/// A policy and its fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The policy.
    pub policy: ClipPolicy,
    /// Its fit.
    pub fit: Fit,
}

/// What an output came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Identification {
    /// All policies that were tried, best first; among equals those that need the tightest sum first, then in the order in
    /// which they were tried.
    pub ranked: Vec<Ranked>,
    /// How many of the first ones fit equally well; 0 if nothing fits.
    pub tied: usize,
    /// Why, where they are several.
    pub tie: Option<Tie>,
}

impl Identification {
    /// The policies that fit best.
    pub fn best(&self) -> &[Ranked] {
        &self.ranked[..self.tied]
    }
}

/// Components with their exact norms.
type Measured = Vec<(Component, Norm)>;

/// What was measured, and what was found, so far.
struct Trials<'a> {
    /// A copy, whose policy and declaration are those that are being tried.
    suspect: Case,
    declared: Declared,
    after: Vec<&'a Tensor>,
    threshold: Threshold,
    /// A few small tensors of many: a policy that treats each by itself and does not fit these fits nowhere.
    few: Option<Box<Trials<'a>>>,
    /// What costs the most depends on no threshold.
    totals: Totals,
    /// Norms depend on partition and statistic alone.
    measured: Vec<(Partition, Statistic, Measured)>,
    /// Partitions that cut these tensors alike do the same under the same rule.
    done: Vec<(ClipPolicy, Look, Fit)>,
    alike: tie::Alike,
}

impl Trials<'_> {
    /// The components of the suspect's partition under its statistic, as an index.
    fn measured(&mut self) -> Option<usize> {
        let policy = &self.suspect.policy;
        let known = |(partition, statistic, _): &(Partition, Statistic, _)| {
            *partition == policy.partition && *statistic == policy.statistic
        };
        if let Some(at) = self.measured.iter().position(known) {
            return Some(at);
        }
        let mut found = measure_sharing(&self.suspect, &self.totals).ok()?;
        // `none` has no threshold; whoever comes after it has.
        for (component, _) in &mut found {
            component.threshold.get_or_insert(self.threshold.get());
        }
        self.measured
            .push((policy.partition.clone(), policy.statistic, found));
        Some(self.measured.len() - 1)
    }

    fn fit(&mut self, policy: &ClipPolicy, look: Look) -> Option<Fit> {
        let same = |(other, seen, _): &&(ClipPolicy, Look, Fit)| {
            *seen == look
                && (&other.rule, other.statistic) == (&policy.rule, policy.statistic)
                && self.alike.alike(&other.partition, &policy.partition)
        };
        if let Some((_, _, fit)) = self.done.iter().find(same) {
            return Some(*fit);
        }
        let by_itself = policy.partition.cuts_tensors() || policy.partition == Partition::Parameter;
        if let Some(few) = self.few.as_mut().filter(|_| by_itself)
            && few.fit(policy, Look::All) == Some(Fit::No)
        {
            return Some(Fit::No);
        }
        self.suspect.policy = policy.clone();
        self.suspect.declared = self.declared;
        let at = self.measured()?;
        let mut best = Fit::No;
        for declared in declarations(&self.suspect) {
            self.suspect.declared = declared;
            // All suspects that read a threshold have the same one, so the components are the same.
            let mut expectation = assemble(&self.suspect, self.measured[at].2.clone()).ok()?;
            let fit = fit::fit(&self.suspect, &self.after, &mut expectation, look);
            if fit.grade() < best.grade() {
                best = fit;
            }
        }
        self.done.push((policy.clone(), look, best));
        Some(best)
    }
}

impl<'a> Trials<'a> {
    fn new(case: Case, after: Vec<&'a Tensor>) -> Self {
        let few = few(&case, &after).map(|(case, after)| Box::new(Self::new(case, after)));
        Self {
            declared: case.declared,
            alike: tie::Alike::default(),
            totals: Totals::new(case.before.len()),
            suspect: case,
            after,
            threshold: Threshold::unchecked(f64::MAX),
            few,
            measured: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Goes on with another threshold.
    fn turn(&mut self, threshold: Threshold, suspects: &[ClipPolicy]) {
        self.threshold = threshold;
        self.measured.clear();
        self.done.clear();
        self.alike
            .learn(&self.suspect, suspects.iter().map(|policy| &policy.partition));
        if let Some(few) = &mut self.few {
            few.turn(threshold, suspects);
        }
    }

    /// All policies beside this one, by how well they explain the output.
    fn rank(&mut self, own: &ClipPolicy) -> Result<Identification, OracleError> {
        let Some(threshold) = own.rule.threshold() else {
            let why = format!("`{own}` has no threshold to identify a convention with");
            return Err(OracleError::Unsupported(why));
        };
        self.suspect.policy = own.clone();
        let suspects = suspects(&self.suspect, threshold);
        self.turn(threshold, &suspects);
        let mut ranked = Vec::new();
        for policy in suspects {
            if let Some(fit) = self.fit(&policy, Look::Sample) {
                ranked.push((Ranked { policy, fit }, false));
            }
        }
        // A sample can only flatter: look at everything of whoever leads, until the leaders have been.
        loop {
            // A stable sort keeps equals in the order of the suspects.
            ranked.sort_by(|(a, _), (b, _)| a.fit.partial_cmp(&b.fit).unwrap_or(Ordering::Equal));
            let best = ranked.first().map_or(usize::MAX, |(best, _)| best.fit.grade());
            let leads = |(r, seen): &&mut (Ranked, bool)| r.fit.grade() == best && r.fit != Fit::No && !*seen;
            let Some((leader, seen)) = ranked.iter_mut().find(leads) else {
                let ranked: Vec<Ranked> = ranked.into_iter().map(|(r, _)| r).collect();
                let leads = |r: &&Ranked| r.fit.grade() == best && r.fit != Fit::No;
                let tied = ranked.iter().take_while(leads).count();
                let tie = Tie::of(&self.suspect, &self.after, &ranked[..tied], &self.alike);
                return Ok(Identification { ranked, tied, tie });
            };
            leader.fit = self.fit(&leader.policy, Look::All).unwrap_or(Fit::No);
            *seen = true;
        }
    }
}

/// What the case declares and, where it leaves open in which type 16-bit elements are scaled, `F32` too.
fn declarations(case: &Case) -> Vec<Declared> {
    let mut declarations = vec![case.declared];
    if case.declared.scale.is_none() && narrow(&case.before).is_some() {
        declarations.push(Declared {
            scale: Some(Format::F32),
            ..case.declared
        });
    }
    declarations
}

/// The type of the tensors, if it is one and has 16 bits.
fn narrow(tensors: &[Tensor]) -> Option<Format> {
    let mut formats = tensors.iter().map(|tensor| tensor.data.format());
    let first = formats.next()?;
    (matches!(first, Format::F16 | Format::Bf16) && formats.all(|format| format == first)).then_some(first)
}

/// Ranks conventions and partitions by how well they explain an output.
///
/// Threshold, exceptions, edge rule and declared arithmetic are those of the case; its partition and its convention are
/// tried first among equals and not otherwise preferred.
///
/// # Errors
/// If the case is not well formed or has no threshold.
pub fn identify(case: &Case, after: &[Tensor]) -> Result<Identification, OracleError> {
    Trials::new(case.clone(), pair(&case.before, after)?).rank(&case.policy)
}

/// The verdict `POLICY`, if another policy explains the output to the bit or, unless `only_bits`, within its tolerance.
pub(super) fn explain(case: &Case, after: &[&Tensor], only_bits: bool) -> Option<Verdict> {
    let found = Trials::new(case.clone(), after.to_vec())
        .rank(&case.policy)
        .ok()?;
    let own = &case.policy;
    let first = found.best().first()?.fit;
    let exact = matches!(first, Fit::Bits { rung: 0, .. });
    // Somebody's own policy has failed, so that the nearest sum is a reason to prefer another here; but the formula that
    // was meant, over another partition, needs no more than a sane sum.
    let meant = |r: &&Ranked| {
        r.policy != *own
            && (&r.policy.rule, r.policy.statistic) == (&own.rule, own.statistic)
            && r.fit.rung() < SANE
    };
    let nearest = || found.best().iter().take_while(|r| r.fit.rung() == first.rung());
    let mut matches: Vec<ClipPolicy> = nearest().map(|r| r.policy.clone()).collect();
    if matches.contains(own) || only_bits && !exact {
        return None;
    }
    if !only_bits && found.best().iter().any(|r| meant(&r)) {
        matches = found
            .best()
            .iter()
            .filter(meant)
            .map(|r| r.policy.clone())
            .collect();
    }
    // Of what no data here can tell apart, the nearest to what was meant.
    let near = |keep: &dyn Fn(&ClipPolicy) -> bool, matches: &mut Vec<ClipPolicy>| {
        if matches.iter().any(keep) {
            matches.retain(keep);
        }
    };
    near(
        &|policy| policy.rule == own.rule && policy.statistic == own.statistic,
        &mut matches,
    );
    // An output that equals its input was most simply not clipped at all.
    near(
        &|policy| policy.rule == Rule::Keep || policy.rule == own.rule && policy.statistic == own.statistic,
        &mut matches,
    );
    near(&|policy| policy.rule == own.rule, &mut matches);
    near(&|policy| policy.statistic == own.statistic, &mut matches);
    near(&|policy| policy.partition == own.partition, &mut matches);
    Some(Verdict::Policy { matches })
}

/// What an `unknown` reduction is tried as, tight to loose: any sum at all.
const LADDER: [Reduction; 8] = [
    Reduction::Exact,
    Reduction::F64,
    Reduction::Kahan,
    Reduction::Pairwise(8),
    Reduction::Blocks(1024),
    Reduction::Lanes(1024),
    Reduction::Lanes(8),
    Reduction::Sequential,
];

/// How many of them a sane implementation may need.
const SANE: usize = 5;

/// The arithmetics that are tried, tight to loose. Correct rounding is within every declaration, and tells more.
fn rungs(case: &Case) -> Vec<Declared> {
    // How far a sum is off says nothing about the formula, and is no reason to leave one out.
    let with = |reduction: Reduction| Declared {
        reduction,
        ..case.declared.up_to(f64::INFINITY)
    };
    if case.declared.reduction != Reduction::Unknown {
        return vec![with(Reduction::Exact), with(case.declared.reduction)];
    }
    let mut rungs: Vec<Declared> = LADDER.into_iter().map(with).collect();
    for format in [Format::F16, Format::Bf16] {
        if !case.before.iter().any(|tensor| tensor.data.format() == format) {
            continue;
        }
        // Norms that are rounded to 16 bits; sums whose every step is.
        if case.declared.per_tensor.is_none() {
            rungs.push(Declared {
                per_tensor: Some(format),
                ..with(Reduction::Sequential)
            });
        }
        if case.declared.accumulator.is_none() {
            rungs.push(Declared {
                accumulator: Some(format),
                ..with(Reduction::Sequential)
            });
        }
    }
    rungs
}

/// Whether a component can be asked for this rung: what is rounded to 16 bits is of elements of this type.
fn applies(case: &Case, rung: &Declared, expected: &Expected) -> bool {
    let own = Some(expected.elements_format());
    (rung.per_tensor == case.declared.per_tensor || rung.per_tensor == own)
        && (rung.accumulator == case.declared.accumulator || rung.accumulator == own)
}
