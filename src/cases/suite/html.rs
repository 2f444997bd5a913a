//! The report as a page.

use super::{Judged, Outcome, Suite, text};
use crate::report::{Block, Document, Table, html};

impl Suite {
    /// One HTML page that needs nothing else: how many cases have which verdict, a table of all cases, the worst first,
    /// and below it each that is no pass at length.
    pub fn to_html(&self) -> String {
        let passed = |one: &&Judged| one.outcome.code().is_none_or(|code| code == 0);
        let mut order: Vec<&Judged> = self.judged.iter().collect();
        // A stable sort: equals stay in the order in which they were asked.
        order.sort_by_key(|one| match one.outcome.code() {
            Some(1) => 0,
            Some(2) => 1,
            Some(_) => 2,
            None => 3,
        });
        let mut blocks: Vec<Block> = Vec::new();
        let mut lines = text::summary(&self.judged);
        if self.require_clipped && self.nothing_to_clip() {
            lines.push(text::NOTHING_CLIPPED.to_owned());
        }
        blocks.extend(lines.into_iter().map(Block::Paragraph));
        blocks.push(Block::Heading("Cases".to_owned()));
        blocks.push(Block::Table(Table {
            caption: "Every case with its verdict; failures first.".to_owned(),
            header: ["case", "policy", "verdict"].map(str::to_owned).to_vec(),
            rows: order.iter().map(|one| row(one)).collect(),
        }));
        for one in order.iter().filter(|one| self.judged.len() == 1 || !passed(one)) {
            blocks.push(Block::Heading(one.named.name.clone()));
            blocks.push(Block::Code(text::case(one).join("\n")));
        }
        html(&Document {
            title: "What the judge says".to_owned(),
            blocks,
        })
    }
}

fn row(one: &Judged) -> Vec<String> {
    let verdict = match &one.outcome {
        Outcome::Judged(judgement) => judgement.headline(),
        other => other.name().to_owned(),
    };
    vec![one.named.name.clone(), one.named.case.policy.to_string(), verdict]
}
