//! The judgement in words, and as JSON.
//!
//! What was asked and what came, where it first goes wrong, and where to look. A [`Judgement`] displays as lines; its first
//! line is [`Judgement::headline`].

pub(crate) mod json;

use super::declared::Reduction;
use super::interval::Interval;
use super::verdict::{ComponentJudgement, Judgement, Place, Verdict};
use crate::clip::{ClipPolicy, Clipped, Rule};
use crate::report::terminal::{aligned, line};
use std::fmt;
use std::fmt::Write;

/// Components that are listed; the worst come first.
const COMPONENTS: usize = 12;

/// Mismatches that are listed.
const MISMATCHES: usize = 5;

impl fmt::Display for Judgement {
    /// The first line, what was asked, the components, the first mismatches, and advice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.headline()))?;
        let mut details = self.details().into_iter();
        details.try_for_each(|detail| write!(f, "\n  {}", line(&detail)))
    }
}

impl Judgement {
    /// The lines below the first.
    pub fn details(&self) -> Vec<String> {
        lines(self)
    }
}

/// The judgement: components, the first mismatches, advice.
pub(super) fn lines(judgement: &Judgement) -> Vec<String> {
    let mut lines = component_table(&judgement.components);
    for mismatch in judgement.mismatches.iter().take(MISMATCHES) {
        lines.push(mismatch.to_string());
    }
    let listed = judgement.mismatches.len().min(MISMATCHES) as u64;
    if judgement.mismatched > listed && listed > 0 {
        lines.push(format!("and {} elements more", judgement.mismatched - listed));
    }
    lines.extend(advice(judgement));
    lines
}

fn component_table(components: &[ComponentJudgement]) -> Vec<String> {
    let mut order: Vec<&ComponentJudgement> = components.iter().collect();
    // A stable sort: equals stay in the order of their first elements.
    order.sort_by(|a, b| match (&a.verdict, &b.verdict) {
        (Verdict::Pass { .. }, Verdict::Pass { .. }) => std::cmp::Ordering::Equal,
        (a, b) => b.compare(a),
    });
    let header = [
        "component",
        "elements",
        "exact norm",
        "scale",
        "clipped",
        "verdict",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for component in order.iter().take(COMPONENTS) {
        rows.push(vec![
            component.id.clone(),
            component.norm.elements.to_string(),
            component
                .norm
                .nearest
                .map_or_else(|| interval(component.norm.interval), number),
            scale(component.scale),
            clipped(component.clipped).to_owned(),
            component.verdict.to_string(),
        ]);
    }
    let mut lines = aligned(&rows);
    if order.len() > COMPONENTS {
        lines.push(format!("and {} components more", order.len() - COMPONENTS));
    }
    lines
}

/// The scale of a component, which rules that work on elements do not have.
pub fn scale(scale: Interval) -> String {
    if scale.is_nan() {
        "-".to_owned()
    } else {
        interval(scale)
    }
}

/// Whether a component is clipped, in a word.
pub fn clipped(clipped: Clipped) -> &'static str {
    match clipped {
        Clipped::Yes => "yes",
        Clipped::No => "no",
        Clipped::Ambiguous => "either",
    }
}

/// The shortest text that reads back to the number.
pub fn number(x: f64) -> String {
    if x == 0.0 || (1e-4..1e7).contains(&x.abs()) || !x.is_finite() {
        x.to_string()
    } else {
        format!("{x:e}")
    }
}

/// One number, or both ends.
pub fn interval(x: Interval) -> String {
    if x.is_point() {
        number(x.lo)
    } else {
        format!("{} to {}", number(x.lo), number(x.hi))
    }
}

/// What to do about a verdict.
fn advice(judgement: &Judgement) -> Vec<String> {
    match &judgement.verdict {
        Verdict::Pass { .. } => judgement
            .components
            .iter()
            .filter_map(|component| component.sufficient)
            .max_by_key(|reduction| rung(*reduction))
            .filter(|reduction| *reduction != Reduction::Exact)
            .map(|reduction| {
                format!(
                    "nothing was declared; a sum as good as `{reduction}` explains it: declare what the code does, and \
                     the check gets sharper"
                )
            })
            .into_iter()
            .collect(),
        Verdict::Weak { .. } => vec![
            "if the code adds up like that, declare it; if it does not, a formula or a sum is wrong that such an error \
             would hide"
                .to_owned(),
        ],
        Verdict::Vacuous { .. } => vec![
            "declare a reduction that the code really has and that bounds its error, for example blocks-1024; if it is \
             this one, its result is not to be relied on at this length"
                .to_owned(),
        ],
        Verdict::FailRounding { .. } if judgement.reason.is_some() => Vec::new(),
        Verdict::FailRounding { .. } => vec![
            "more rounding than declared: look for a sum or a scale in a narrower type, or a longer chain of additions \
             than was declared"
                .to_owned(),
        ],
        Verdict::Range { .. } => {
            vec![
                "form the squares in a wider type, or divide by the largest magnitude first; if the source has this range \
                 (PyTorch in F32), `--overflow as-source` takes it for right"
                    .to_owned(),
            ]
        }
        Verdict::Policy { matches } => matches
            .first()
            .map(|other| format!("the difference: {}", difference(&judgement.policy, other)))
            .into_iter()
            .collect(),
        Verdict::FailLogic { .. } if beside(judgement) => vec![
            "the gradients are right, what was returned beside them is not; the usual mistake is the norm after clipping"
                .to_owned(),
        ],
        Verdict::FailLogic { .. } if judgement.reason.is_some() => Vec::new(),
        Verdict::FailLogic { .. } => vec![implied(judgement).unwrap_or_else(|| {
            "no rounding explains this, and no known convention: look at the first element above".to_owned()
        })],
    }
}

/// Whether every mismatch is in a returned norm, scale or flag.
fn beside(judgement: &Judgement) -> bool {
    let mut places = judgement.mismatches.iter().map(|mismatch| &mismatch.place);
    places.all(|place| !matches!(place, Place::Element { .. }))
        && judgement.mismatches.len() as u64 == judgement.mismatched
}

/// Tight to loose.
fn rung(reduction: Reduction) -> usize {
    match reduction {
        Reduction::Exact => 0,
        Reduction::F64 => 1,
        Reduction::Kahan => 2,
        Reduction::Pairwise(_) => 3,
        Reduction::Depth(_) => 4,
        _ => 5,
    }
}

/// The first failing component whose elements all agree on another norm.
fn implied(judgement: &Judgement) -> Option<String> {
    let failing = judgement
        .components
        .iter()
        .find(|component| !matches!(component.verdict, Verdict::Pass { .. }))?;
    let norm = failing.implied_norm?;
    let exact = failing.norm.nearest.filter(|exact| *exact > 0.0)?;
    let mut text = format!(
        "all elements of `{}` are right for a norm of {}",
        failing.id,
        interval(norm)
    );
    if norm.lo > 0.0 && norm.hi.is_finite() {
        let ratio = norm.lo.midpoint(norm.hi) / exact;
        let _ = write!(text, ", {ratio:.6} times the true one");
    }
    Some(format!("{text}: the formula is right, what it was given is not"))
}

/// How two policies differ, part by part.
fn difference(asked: &ClipPolicy, found: &ClipPolicy) -> String {
    let mut parts = Vec::new();
    let mut compare = |what: &str, asked: String, found: String| {
        if asked != found {
            parts.push(format!("{what} {found} instead of {asked}"));
        }
    };
    compare(
        "partition",
        asked.partition.to_string(),
        found.partition.to_string(),
    );
    compare("norm", asked.statistic.to_string(), found.statistic.to_string());
    match (&asked.rule, &found.rule) {
        (Rule::Norm { convention: a, .. }, Rule::Norm { convention: b, .. }) => {
            compare("convention", a.to_string(), b.to_string());
        }
        (a, b) if a != b => compare("policy", asked.to_string(), found.to_string()),
        _ => {}
    }
    parts.join(", ")
}
