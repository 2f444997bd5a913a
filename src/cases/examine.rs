//! Judging a clipper that is a function: every case, then every law on it.

use super::pack::NamedCase;
use crate::oracle::laws::{self, Outcome};
use crate::oracle::{Candidate, Case, Tensor, judge};
use std::fmt;

/// What came of an examination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Cases with a verdict.
    pub judged: usize,
    /// Cases that the clipper declined.
    pub declined: usize,
    /// Laws that were put to the test and hold.
    pub laws: usize,
    /// What is wrong, one line each.
    pub findings: Vec<String>,
}

impl Examination {
    /// Whether something was judged, and nothing was found.
    pub fn passed(&self) -> bool {
        self.judged > 0 && self.findings.is_empty()
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            judged,
            declined,
            laws,
            findings,
        } = self;
        let wrong = findings.len();
        write!(
            f,
            "{judged} cases judged, {declined} declined, {laws} laws tried: {wrong} findings"
        )?;
        findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

/// Judges a clipper on cases, and holds it to the laws of [`laws`] that its policies promise.
///
/// The clipper gets a case and returns the gradients after clipping. An `Err` declines a case, for example because its
/// policy is another one; the laws ask with other thresholds, ties and exclusions too, so a clipper should look at
/// [`Case::policy`] as a whole.
///
/// # Examples
/// ```
/// use cwgnc::cases::{Pack, examine};
///
/// // A clipper that does nothing at all.
/// let examination = examine(Pack::Core.cases(0), |case| Ok(case.before.clone()));
/// assert!(!examination.passed());
/// assert!(examination.findings[0].starts_with("core-0000-exact: POLICY: your output matches `none`"));
/// ```
pub fn examine(
    cases: impl IntoIterator<Item = NamedCase>,
    mut clipper: impl FnMut(&Case) -> Result<Vec<Tensor>, String>,
) -> Examination {
    let mut found = Examination::default();
    for named in cases {
        let name = &named.name;
        let Ok(after) = clipper(&named.case) else {
            found.declined += 1;
            continue;
        };
        match judge(&named.case, &Candidate::new(after)) {
            Ok(judgement) if judgement.passed() => found.judged += 1,
            Ok(judgement) => {
                found.judged += 1;
                let place = judgement.mismatches.first();
                let place = place.map_or_else(String::new, |mismatch| format!("; {mismatch}"));
                found
                    .findings
                    .push(format!("{name}: {}{place}", judgement.verdict));
            }
            Err(error) => found.findings.push(format!("{name}: {error}")),
        }
        // What becomes of NaN, infinities and thresholds without sense is a matter of convention, and judged above.
        let mut elements = named.case.before.iter().flat_map(|t| t.data.values());
        if !elements.all(f64::is_finite) || !named.case.policy.is_plain() {
            continue;
        }
        for (law, outcome) in laws::check_all(&named.case, &mut clipper) {
            match outcome {
                Outcome::Holds { .. } => found.laws += 1,
                Outcome::Broken(breach) => found
                    .findings
                    .push(format!("{name}: law {}: {breach}", law.name())),
                Outcome::Silent | Outcome::Refused(_) => {}
            }
        }
    }
    found
}
