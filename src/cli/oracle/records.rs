//! Reports in the three formats: lines, one JSON object, `JUnit`'s XML.

use super::super::{Error, print};
use super::args::Format;
use super::{Judged, Outcome, exit_code, text};
use crate::oracle::{Interval, Judgement, Place, Verdict};
use serde_json::{Value, json};

/// Prints the report.
pub(super) fn report(judged: &[Judged], format: Format) -> Result<(), Error> {
    match format {
        Format::Text => text::report(judged).iter().try_for_each(|line| print(line)),
        Format::Json => print(&format!("{:#}", document(judged))),
        Format::Junit => print(&junit(judged)),
    }
}

fn document(judged: &[Judged]) -> Value {
    json!({
        "spec": crate::cases::file::SPEC,
        "version": env!("CARGO_PKG_VERSION"),
        "exit_code": exit_code(judged),
        "cases": judged.iter().map(record).collect::<Vec<_>>(),
    })
}

/// A number that JSON may not have is a text.
pub(in crate::cli) fn number(x: f64) -> Value {
    if x.is_finite() {
        json!(x)
    } else {
        json!(x.to_string())
    }
}

fn interval(x: Interval) -> Value {
    json!([number(x.lo), number(x.hi)])
}

fn record(one: &Judged) -> Value {
    let named = &one.named;
    let mut record = json!({
        "name": named.name,
        "class": named.class,
        "policy": named.case.policy.to_string(),
        "declared": named.case.declared.to_string(),
        "verdict": one.outcome.name(),
    });
    match &one.outcome {
        Outcome::Judged(judgement) => {
            record["text"] = judgement.verdict.to_string().into();
            numbers(&judgement.verdict, &mut record);
            record["components"] = judgement.components.iter().map(component).collect();
            record["mismatched"] = judgement.mismatched.into();
            record["mismatches"] = mismatches(judgement);
        }
        Outcome::Cannot(why) | Outcome::NoAnswer(why) => record["text"] = why.clone().into(),
        Outcome::Declined => {}
    }
    record
}

/// The numbers of a verdict, each under its own name.
fn numbers(verdict: &Verdict, record: &mut Value) {
    match verdict {
        Verdict::Pass { ulp, share } => {
            record["ulp"] = (*ulp).into();
            record["share"] = number(*share);
        }
        Verdict::Vacuous { bound } => record["bound"] = number(*bound),
        Verdict::FailRounding { ratio } | Verdict::FailLogic { ratio } => record["ratio"] = number(*ratio),
        Verdict::Range { format, norm } => {
            record["range_of"] = format.name().into();
            record["range_norm"] = number(*norm);
        }
        Verdict::Policy { matches } => {
            record["matches"] = matches
                .iter()
                .map(|policy| Value::from(policy.to_string()))
                .collect();
        }
    }
}

fn component(component: &crate::oracle::ComponentJudgement) -> Value {
    json!({
        "id": component.id,
        "verdict": component.verdict.to_string(),
        "elements": component.norm.elements,
        "norm": interval(component.norm.interval),
        "scale": interval(component.scale),
        "clipped": text::clipped(component.clipped),
        "implied_norm": component.implied_norm.map(interval),
        "sufficient_reduction": component.sufficient.map(|reduction| reduction.to_string()),
        "ulp_histogram": component.histogram,
    })
}

fn mismatches(judgement: &Judgement) -> Value {
    let one = |mismatch: &crate::oracle::Mismatch| {
        let (place, tensor, index) = match &mismatch.place {
            Place::Norm => ("norm", None, None),
            Place::Scale => ("scale", None, None),
            Place::Clipped => ("clipped", None, None),
            Place::Element { tensor, index } => ("element", Some(tensor), Some(index)),
        };
        json!({
            "component": mismatch.component,
            "place": place,
            "tensor": tensor,
            "index": index,
            "expected": interval(mismatch.expected),
            "got": number(mismatch.got),
            "ulp": (mismatch.ulp != u64::MAX).then_some(mismatch.ulp),
        })
    };
    judgement.mismatches.iter().map(one).collect()
}

fn junit(judged: &[Judged]) -> String {
    let count = |wanted: &dyn Fn(&Outcome) -> bool| judged.iter().filter(|one| wanted(&one.outcome)).count();
    let failures = count(&|outcome| outcome.code() == Some(1));
    let errors = count(&|outcome| outcome.code() == Some(2));
    let skipped = count(&|outcome| outcome.code().is_none());
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        format!(
            "<testsuite name=\"cwgnc\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">",
            judged.len()
        ),
    ];
    for one in judged {
        let named = &one.named;
        let place = [&named.pack, &named.class];
        let place: Vec<&str> = place
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let class = if place.is_empty() {
            "case".to_owned()
        } else {
            place.join(".")
        };
        let head = format!(
            "  <testcase classname=\"{}\" name=\"{}\"",
            escaped(&class),
            escaped(&named.name)
        );
        let element = match one.outcome.code() {
            Some(0) => {
                lines.push(format!("{head}/>"));
                continue;
            }
            Some(1) => "failure",
            Some(_) => "error",
            None => {
                lines.push(format!("{head}><skipped/></testcase>"));
                continue;
            }
        };
        let body = text::case(one).join("\n");
        lines.push(format!(
            "{head}><{element} type=\"{}\">{}</{element}></testcase>",
            one.outcome.name(),
            escaped(&body)
        ));
    }
    lines.push("</testsuite>".to_owned());
    lines.join("\n")
}

/// Text as XML may hold it: control characters other than line ends cannot be written at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
