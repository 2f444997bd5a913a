//! Which report is printed.

use super::super::{Error, print_document};
use super::args::Format;
use crate::cases::Suite;
use serde_json::{Value, json};

/// Prints the report.
pub(super) fn report(suite: &Suite, format: Format) -> Result<(), Error> {
    match format {
        Format::Text => print_document(&suite.to_string()),
        Format::Json => {
            let document: Value = serde_json::from_str(&suite.to_json()).unwrap_or_default();
            print_document(&format!("{document:#}"))
        }
        Format::Junit => print_document(&suite.to_junit()),
        Format::Html => print_document(suite.to_html().trim_end()),
    }
}

/// A number that JSON may not have is a text.
pub(in crate::cli) fn number(x: f64) -> Value {
    if x.is_finite() {
        json!(x)
    } else {
        json!(x.to_string())
    }
}
