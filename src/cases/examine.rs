//! Judging a clipper that is a function: every case, then every law on it.

use super::finding::{Fault, Finding};
use super::pack::NamedCase;
use super::shrink::{shrink, shrink_verdict};
use crate::oracle::laws::{self, Law, Outcome};
use crate::oracle::{Candidate, Case, Tensor, judge, judge_unexplained};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came of an examination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examination {
    /// Cases with a verdict, or with a finding in place of one.
    pub judged: usize,
    /// Cases that the clipper declined.
    pub declined: usize,
    /// Laws that were put to the test and hold.
    pub laws: usize,
    /// What is wrong, in the order of the cases.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Whether something was judged, and nothing was found.
    pub fn passed(&self) -> bool {
        self.judged > 0 && self.findings.is_empty()
    }

    /// Whether most cases were declined, so that this says little: they are not about the clipper.
    pub fn mostly_declined(&self) -> bool {
        self.declined > self.judged
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
        if self.mostly_declined() {
            f.write_str(
                "\n  warning: most cases were declined and say nothing; Pack::cases_for makes cases for a clipper's own \
                 policy",
            )?;
        }
        findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

/// Elements of a case beyond which the laws, with their many calls, are not tried on it.
const LAWFUL: usize = 1000;

/// Calls that one finding may cost to be made small, if it is a wrong result and if it is a panic, whose message goes to
/// stderr each time.
const TRIES: usize = 400;
const PANICS: usize = 60;

/// Calls that all findings may cost. Where everything is wrong, the first findings are the ones that are read.
const ALL_TRIES: usize = 20_000;

/// Judges a clipper on cases, and holds it to the laws of [`laws`] that its policies promise.
///
/// The clipper gets a case and returns the gradients after clipping. An `Err` declines a case, for example because its
/// policy is another one; the laws ask with other thresholds, ties and exclusions too, so a clipper should look at
/// [`Case::policy`] as a whole. A panic is a finding like others, and the examination goes on; nothing is done about the
/// message that Rust prints. Findings are made small ([`shrink`]) as long as they are not too many.
///
/// # Examples
/// ```
/// use cwgnc::cases::{Fault, Pack, examine};
///
/// // A clipper that does nothing at all.
/// let examination = examine(Pack::Core.cases(0), |case| Ok(case.before.clone()));
/// assert!(!examination.passed());
/// let first = &examination.findings[0];
/// assert_eq!(first.case.name, "core-0000-exact");
/// let Fault::Verdict(judgement) = &first.fault else { panic!("a verdict") };
/// assert_eq!(judgement.verdict.to_string(), "POLICY: your output matches `none`");
/// // One tensor with one element is left of it.
/// assert_eq!(first.case.case.before.len(), 1);
/// assert_eq!(first.case.case.before[0].data.len(), 1);
/// ```
pub fn examine(
    cases: impl IntoIterator<Item = NamedCase>,
    clipper: impl FnMut(&Case) -> Result<Vec<Tensor>, String>,
) -> Examination {
    let mut examiner = Examiner {
        clipper,
        panic: None,
        tries: ALL_TRIES,
        calls: 0,
        found: Examination::default(),
    };
    for named in cases {
        if !examiner.judge(&named) {
            continue;
        }
        // What becomes of NaN, infinities and thresholds without sense is a matter of convention, and judged above.
        let elements: usize = named.case.before.iter().map(|t| t.data.len()).sum();
        let mut values = named.case.before.iter().flat_map(|t| t.data.values());
        if elements <= LAWFUL && named.case.policy.is_plain() && values.all(f64::is_finite) {
            examiner.laws(&named);
        }
    }
    examiner.found
}

/// A clipper under examination.
struct Examiner<F> {
    clipper: F,
    /// The message of the last panic, until it is taken.
    panic: Option<String>,
    /// Calls that are left to make findings small, and those that were made for it.
    tries: usize,
    calls: usize,
    found: Examination,
}

impl<F: FnMut(&Case) -> Result<Vec<Tensor>, String>> Examiner<F> {
    /// What the clipper makes of a case; a panic is kept for whoever asks.
    fn call(&mut self, case: &Case) -> Result<Vec<Tensor>, String> {
        let clipper = &mut self.clipper;
        // A clipper that has panicked is asked again, as a test runner would: what it left behind is its own business.
        catch_unwind(AssertUnwindSafe(|| clipper(case))).unwrap_or_else(|payload| {
            let message = payload
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
            self.panic = Some(message.unwrap_or_else(|| "a panic without a message".to_owned()));
            Err("panicked".to_owned())
        })
    }

    /// The verdict on a case; whether there was an answer.
    fn judge(&mut self, named: &NamedCase) -> bool {
        let after = self.call(&named.case);
        if let Some(message) = self.panic.take() {
            self.found.judged += 1;
            self.report(named, Fault::Panic { law: None, message });
            return false;
        }
        let Ok(after) = after else {
            self.found.declined += 1;
            return false;
        };
        self.found.judged += 1;
        match judge(&named.case, &Candidate::new(after)) {
            Ok(judgement) if judgement.passed() => {}
            Ok(judgement) => self.report(named, Fault::Verdict(Box::new(judgement))),
            Err(error) => self.report(named, Fault::Malformed(error)),
        }
        true
    }

    /// All laws on a case.
    fn laws(&mut self, named: &NamedCase) {
        for law in Law::ALL {
            let outcome = laws::check(law, &named.case, &mut |case| self.call(case));
            if let Some(message) = self.panic.take() {
                let law = Some(law);
                self.report(named, Fault::Panic { law, message });
                continue;
            }
            match outcome {
                Outcome::Holds { .. } => self.found.laws += 1,
                Outcome::Broken(breach) => self.report(named, Fault::Law { law, breach }),
                Outcome::Silent | Outcome::Refused(_) => {}
            }
        }
    }

    /// Adds a finding, made small.
    fn report(&mut self, named: &NamedCase, fault: Fault) {
        let elements = named.case.before.iter().map(|t| t.data.len()).sum();
        let tensors = named.case.before.len();
        let most = if matches!(fault, Fault::Panic { .. }) {
            PANICS
        } else {
            TRIES
        };
        let tries = most.min(self.tries);
        let before = self.calls;
        let case = match &fault {
            Fault::Verdict(judgement) => shrink_verdict(&named.case, tries, judgement, |case| {
                self.calls += 1;
                let after = self.call(case);
                let after = after.ok().filter(|_| self.panic.take().is_none());
                after.map(Candidate::new)
            }),
            fault => shrink(&named.case, tries, |case| {
                self.calls += 1;
                self.fails(case, fault)
            }),
        };
        self.tries = self.tries.saturating_sub(self.calls - before);
        self.found.findings.push(Finding {
            case: named.with(case),
            fault,
            tensors,
            elements,
        });
    }

    /// Whether a case has the same fault, if that is none of the verdict.
    fn fails(&mut self, case: &Case, fault: &Fault) -> bool {
        match fault {
            Fault::Law { law, .. } => {
                let outcome = laws::check(*law, case, &mut |case| self.call(case));
                self.panic.take().is_none() && matches!(outcome, Outcome::Broken(_))
            }
            Fault::Panic { law: Some(law), .. } => {
                laws::check(*law, case, &mut |case| self.call(case));
                self.panic.take().is_some()
            }
            Fault::Panic { law: None, .. } => {
                // What comes of it is of no interest.
                let _ = self.call(case);
                self.panic.take().is_some()
            }
            Fault::Malformed(_) | Fault::Verdict(_) => {
                let after = self.call(case);
                let after = after.ok().filter(|_| self.panic.take().is_none());
                after.is_some_and(|after| judge_unexplained(case, &Candidate::new(after)).is_err())
            }
        }
    }
}
