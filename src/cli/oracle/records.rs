//! Reports in the three formats: lines, one JSON object, `JUnit`'s XML.

use super::super::{Error, print};
use super::args::Format;
use super::{Judged, Outcome, exit_code, nothing_to_clip, text};
use serde_json::{Value, json};

/// Prints the report.
pub(super) fn report(judged: &[Judged], format: Format, require_clipped: bool) -> Result<(), Error> {
    match format {
        Format::Text => {
            text::report(judged).iter().try_for_each(|line| print(line))?;
            if require_clipped && nothing_to_clip(judged) {
                print("nothing was to be clipped, and --require-clipped asks for it: lower the threshold")?;
            }
            Ok(())
        }
        Format::Json => print(&format!("{:#}", document(judged, require_clipped))),
        Format::Junit => print(&junit(judged, require_clipped)),
    }
}

fn document(judged: &[Judged], require_clipped: bool) -> Value {
    json!({
        "spec": crate::cases::file::SPEC,
        "version": env!("CARGO_PKG_VERSION"),
        "exit_code": exit_code(judged, require_clipped),
        "nothing_to_clip": nothing_to_clip(judged),
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
            let known: Value = serde_json::from_str(&judgement.to_json()).unwrap_or_default();
            if let (Value::Object(record), Value::Object(known)) = (&mut record, known) {
                record.extend(known);
            }
        }
        Outcome::Cannot(why) | Outcome::NoAnswer(why) | Outcome::Replicas(why) => {
            record["text"] = why.clone().into();
        }
        Outcome::Declined => {}
    }
    record
}

fn junit(judged: &[Judged], require_clipped: bool) -> String {
    let count = |wanted: &dyn Fn(&Outcome) -> bool| judged.iter().filter(|one| wanted(&one.outcome)).count();
    let unclipped = require_clipped && nothing_to_clip(judged);
    let failed = |outcome: &Outcome| outcome.code() == Some(1) || unclipped && outcome.code() == Some(0);
    let failures = count(&failed);
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
            Some(0) if !unclipped => {
                let line = text::case(one).into_iter().next().unwrap_or_default();
                lines.push(format!(
                    "{head}><system-out>{}</system-out></testcase>",
                    escaped(&line)
                ));
                continue;
            }
            Some(0 | 1) => "failure",
            Some(_) => "error",
            None => {
                lines.push(format!("{head}><skipped/></testcase>"));
                continue;
            }
        };
        let body = text::case(one).join("\n");
        lines.push(format!(
            "{head}><{element} type=\"{}\" message=\"{}\">{}</{element}></testcase>",
            one.outcome.name(),
            escaped(body.lines().next().unwrap_or_default()),
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
