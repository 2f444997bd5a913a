//! Which report is printed.

use super::super::{Error, print};
use super::args::Format;
use crate::cases::Suite;
use serde_json::{Value, json};

/// Prints the report.
pub(super) fn report(suite: &Suite, format: Format) -> Result<(), Error> {
    match format {
        Format::Text => suite.to_string().lines().try_for_each(print),
        Format::Json => {
            let document: Value = serde_json::from_str(&suite.to_json()).unwrap_or_default();
            print(&format!("{document:#}"))
        }
        Format::Junit => print(&suite.to_junit()),
        Format::Html => print(suite.to_html().trim_end()),
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
