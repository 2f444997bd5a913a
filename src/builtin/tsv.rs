//! The sets as tab-separated lines, for other programs.

use super::Builtin;
use crate::data::{Dataset, Outcome};
use crate::model::Target;

/// A set of this task under a header: `sentence` or `sentence1` and `sentence2`, and `label`, written as in the files of the
/// GLUE task that it stands for (`0` and `1`, the names of RTE's classes, or a number).
pub fn tsv(task: Builtin, set: &Dataset) -> String {
    let glue = task.stands_for();
    let pairs = set.examples.iter().any(|example| example.text_b.is_some());
    let mut text = String::from(if pairs {
        "sentence1\tsentence2\tlabel\n"
    } else {
        "sentence\tlabel\n"
    });
    for example in &set.examples {
        text.push_str(&example.text_a);
        if let Some(second) = &example.text_b {
            text.push('\t');
            text.push_str(second);
        }
        text.push('\t');
        match (&example.target, glue.outcome) {
            (Some(Target::Class(class)), Outcome::Classes(labels)) => text.push_str(labels[*class].text),
            (Some(Target::Value(value)), _) => text.push_str(&value.to_string()),
            _ => {}
        }
        text.push('\n');
    }
    text
}
