//! The report as one JSON object; docs/oracle.md lists its keys.

use super::{Judged, Outcome, Suite};
use crate::cases::SPEC;
use crate::oracle::report::json::{list, object, text};

impl Suite {
    /// One JSON object.
    pub fn to_json(&self) -> String {
        object(&[
            ("spec", SPEC.to_string()),
            ("version", text(env!("CARGO_PKG_VERSION"))),
            ("exit_code", self.exit_code().to_string()),
            ("nothing_to_clip", self.nothing_to_clip().to_string()),
            ("cases", list(self.judged.iter().map(record))),
        ])
    }
}

fn record(one: &Judged) -> String {
    let named = &one.named;
    let mut fields = vec![("name", text(&named.name)), ("class", text(&named.class))];
    let verdict = ("verdict", text(one.outcome.name()));
    match &one.outcome {
        Outcome::Judged(judgement) => fields.extend(judgement.json_fields()),
        other => {
            fields.push(verdict);
            if let Outcome::Cannot(why) | Outcome::NoAnswer(why) | Outcome::Replicas(why) = other {
                fields.push(("text", text(why)));
            }
            fields.push(("policy", text(&named.case.policy.to_string())));
            fields.push(("declared", text(&named.case.declared.to_string())));
        }
    }
    object(&fields)
}
