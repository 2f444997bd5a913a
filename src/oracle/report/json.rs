//! A judgement as one JSON object, written by hand: the oracle needs no library for it.
//!
//! docs/oracle.md lists the keys. Numbers have their shortest form that reads back; what is not finite is a text.

use super::super::interval::Interval;
use super::super::verdict::{ComponentJudgement, Judgement, Mismatch, Place, Verdict};
use super::clipped;

impl Judgement {
    /// One JSON object with everything that is known.
    ///
    /// # Examples
    /// ```
    /// use cwgnc::oracle::{Candidate, Case, Format, Tensor, judge};
    ///
    /// let tensor = |x: &[f64]| vec![Tensor::vector("w", Format::F32, x)];
    /// let case = Case::new("component:1@exact".parse()?, tensor(&[3.0, 4.0]));
    /// let judgement = judge(&case, &Candidate::new(tensor(&[0.6, 0.8])))?;
    /// assert!(judgement.to_json().starts_with(r#"{"verdict":"PASS","text":"PASS (bitwise)","reason":null,"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(&self) -> String {
        object(&self.json_fields())
    }

    /// The keys with their values.
    pub(crate) fn json_fields(&self) -> Vec<(&'static str, String)> {
        let reason = self.reason.as_ref().map_or("null".to_owned(), |reason| {
            object(&[("name", text(reason.name)), ("text", text(&reason.text))])
        });
        let mut fields = vec![
            ("verdict", text(self.verdict.name())),
            ("text", text(&self.headline())),
            ("reason", reason),
            (
                "closer",
                self.closer
                    .as_ref()
                    .map_or("null".to_owned(), |policy| text(&policy.to_string())),
            ),
            ("policy", text(&self.policy.to_string())),
            ("declared", text(&self.declared.to_string())),
            ("passed", self.passed().to_string()),
            ("nothing_to_clip", self.nothing_to_clip().to_string()),
        ];
        fields.extend(numbers(&self.verdict));
        fields.push(("components", list(self.components.iter().map(component))));
        fields.push(("mismatched", self.mismatched.to_string()));
        fields.push(("mismatches", list(self.mismatches.iter().map(mismatch))));
        fields
    }
}

/// The numbers of a verdict, each under its own name.
fn numbers(verdict: &Verdict) -> Vec<(&'static str, String)> {
    match verdict {
        Verdict::Pass { ulp, share } => vec![("ulp", ulp.to_string()), ("share", number(*share))],
        Verdict::Weak {
            component,
            needs,
            off,
            bound,
            limit,
        } => vec![
            ("component", text(component)),
            ("needs", text(&needs.to_string())),
            ("norm_off", number(*off)),
            ("bound", number(*bound)),
            ("limit", number(*limit)),
        ],
        Verdict::Vacuous { off, bound, limit } => vec![
            ("norm_off", number(*off)),
            ("bound", number(*bound)),
            ("limit", number(*limit)),
        ],
        Verdict::FailRounding { ratio } | Verdict::FailLogic { ratio } => vec![("ratio", number(*ratio))],
        Verdict::Range { format, norm } => {
            vec![("range_of", text(format.name())), ("range_norm", number(*norm))]
        }
        Verdict::Policy { matches } => {
            let names = matches.iter().map(|policy| text(&policy.to_string()));
            vec![("matches", list(names))]
        }
    }
}

fn component(component: &ComponentJudgement) -> String {
    let null = || "null".to_owned();
    object(&[
        ("id", text(&component.id)),
        ("verdict", text(&component.verdict.to_string())),
        ("elements", component.norm.elements.to_string()),
        ("norm", interval(component.norm.interval)),
        ("scale", interval(component.scale)),
        ("clipped", text(clipped(component.clipped))),
        ("implied_norm", component.implied_norm.map_or_else(null, interval)),
        (
            "sufficient_reduction",
            component
                .sufficient
                .map_or_else(null, |reduction| text(&reduction.to_string())),
        ),
        (
            "ulp_histogram",
            list(component.histogram.iter().map(u64::to_string)),
        ),
    ])
}

fn mismatch(mismatch: &Mismatch) -> String {
    let null = || "null".to_owned();
    let (place, tensor, index) = match &mismatch.place {
        Place::Norm => ("norm", null(), null()),
        Place::Scale => ("scale", null(), null()),
        Place::Clipped => ("clipped", null(), null()),
        Place::Element { tensor, index } => ("element", text(tensor), index.to_string()),
    };
    object(&[
        ("component", text(&mismatch.component)),
        ("place", text(place)),
        ("tensor", tensor),
        ("index", index),
        ("expected", interval(mismatch.expected)),
        ("got", number(mismatch.got)),
        (
            "ulp",
            if mismatch.ulp == u64::MAX {
                null()
            } else {
                mismatch.ulp.to_string()
            },
        ),
    ])
}

pub(crate) fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

pub(crate) fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn interval(x: Interval) -> String {
    list([x.lo, x.hi].into_iter().map(number))
}

fn number(x: f64) -> String {
    if x.is_finite() {
        format!("{x:?}")
    } else {
        text(&x.to_string())
    }
}

/// A JSON string.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        assert_eq!(text("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\u000a\\u0001é\"");
        let numbers: Vec<String> = [0.1, -0.0, 1e300, f64::NAN, f64::NEG_INFINITY].map(number).into();
        assert_eq!(numbers, ["0.1", "-0.0", "1e300", "\"NaN\"", "\"-inf\""]);
    }
}
