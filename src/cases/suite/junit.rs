//! The report as `JUnit`'s XML, which CI systems show.

use super::{Outcome, Suite, text};
use crate::report::escaped;

impl Suite {
    /// A test case for each case; every one has its first line, failures have all.
    pub fn to_junit(&self) -> String {
        let judged = &self.judged;
        let count =
            |wanted: &dyn Fn(&Outcome) -> bool| judged.iter().filter(|one| wanted(&one.outcome)).count();
        let unclipped = self.require_clipped && self.nothing_to_clip();
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
}
