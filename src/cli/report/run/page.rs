//! The report of one run in reading order.

use super::super::args::Report;
use super::super::page::{facts, shown};
use super::figures;
use super::read::Run;
use crate::cli::class_report::ClassReport;
use crate::report::{Block, Document, Figure, Table, rounded};
use serde_json::{Map, Value};

/// The whole report.
pub(super) fn document(args: &Report, run: &Run) -> Document {
    let heading = |text: &str| Block::Heading(text.to_owned());
    let paragraph = |text: String| Block::Paragraph(text);
    let mut blocks: Vec<Block> = run
        .unfinished()
        .map(|text| paragraph(format!("Note: {text}.")))
        .into_iter()
        .collect();
    blocks.push(paragraph(introduction(run)));
    blocks.extend([heading("Results"), Block::Table(results(run))]);
    blocks.extend(classes(run).into_iter().map(Block::Table));
    let figures = |title: &str, figures: Vec<Figure>| {
        let title = (!figures.is_empty()).then(|| heading(title));
        title
            .into_iter()
            .chain(figures.into_iter().map(Block::Figure))
            .collect::<Vec<_>>()
    };
    blocks.extend(figures("Over the steps", figures::over_steps(run)));
    blocks.extend(figures("By component", figures::by_component(run, args.layer)));
    if let Some(table) = understood(&run.record["understood"]) {
        blocks.extend([heading("What was understood"), Block::Table(table)]);
    }
    let empty = Map::new();
    let object = |value: &Value| value.as_object().unwrap_or(&empty).clone();
    blocks.push(heading("Settings and versions"));
    let caption = "Every setting that a number of the run depends on.";
    blocks.push(facts(caption, &object(&run.record["settings"])));
    let mut rest = object(&run.record);
    rest.retain(|name, value| !["settings", "understood"].contains(&name.as_str()) && !value.is_null());
    let caption =
        "Version of the program, processor, and hashes (FNV-1a, 64 bits) of the files of model and data.";
    blocks.push(facts(caption, &rest));
    blocks.push(heading("How this was made"));
    let program = env!("CARGO_PKG_VERSION");
    blocks.push(paragraph(format!(
        "With cwgnc {program}, in the run's folder; the same records give the same bytes:"
    )));
    let layer = args
        .layer
        .map(|layer| format!(" --layer {layer}"))
        .unwrap_or_default();
    blocks.push(Block::Code(format!("cwgnc report .{layer}")));
    Document {
        title: title(run),
        blocks,
    }
}

fn title(run: &Run) -> String {
    let text = |name: &str| run.settings(name).as_str();
    let model = text("model").unwrap_or("a fresh model");
    if run.record["command"] == "pretrain" {
        return format!("Pretraining of {model}");
    }
    let data = text("task").or(text("train_file")).unwrap_or("a task");
    format!("Fine-tuning of {model} on {data}")
}

fn introduction(run: &Run) -> String {
    let evaluations = run.evaluations().count();
    let steps = run.lines.len() - evaluations;
    let best = match run.results.as_ref().and_then(|results| results.get("best_step")) {
        Some(step) => format!(" The results are of the model after step {step}, the best evaluation."),
        None => String::new(),
    };
    format!(
        "Clipping: {}. Steps: {} of {}; {steps} were logged, and {evaluations} evaluations.{best} Every number is of one run: another \
         seed gives others (cwgnc study measures how far they lie apart).",
        shown(Some(run.settings("clip"))),
        run.last_step(),
        shown(Some(run.settings("total_steps"))),
    )
}

/// The metrics as the run reported them, and their extremes over the evaluations.
pub(super) fn results(run: &Run) -> Table {
    let reported = run.reported();
    let empty = Map::new();
    let values = reported.as_object().unwrap_or(&empty);
    let further = values.iter().filter(|(name, value)| {
        let is_cost = ["runtime", "samples", "per_second"]
            .iter()
            .any(|part| name.contains(part));
        name.starts_with("eval_") && !value.is_array() && !is_cost && !run.metrics.contains(name)
    });
    let names = run.metrics.iter().chain(further.map(|(name, _)| name)).cloned();
    let row = |name: String| {
        let points = run.points(&name);
        let by = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let at = |point: Option<&(f64, f64)>| {
            point.map_or("–".to_owned(), |(step, value)| {
                format!("{} ({step})", rounded(Some(*value), 4))
            })
        };
        // Of equal values the first.
        let (lowest, highest) = (points.iter().min_by(by), points.iter().rev().max_by(by));
        let cells = [
            rounded(values.get(&name).and_then(Value::as_f64), 4),
            at(lowest),
            at(highest),
        ];
        std::iter::once(name).chain(cells).collect()
    };
    let which = if run.results.is_some() { "reported" } else { "last" };
    let train = values.get("train_loss").and_then(Value::as_f64);
    let train = vec![
        "train_loss".to_owned(),
        rounded(train, 4),
        "–".to_owned(),
        "–".to_owned(),
    ];
    Table {
        caption: "What the run reported, and the lowest and the highest value over its evaluations, with the step. train_loss is the mean \
                  over all steps."
            .to_owned(),
        header: ["metric", which, "lowest (step)", "highest (step)"].map(str::to_owned).to_vec(),
        rows: names.map(row).chain([train]).collect(),
    }
}

/// Measures of each class and the confusion matrix, if the results have them.
fn classes(run: &Run) -> Vec<Table> {
    let Some(report) = run.results.as_ref().and_then(ClassReport::read) else {
        return Vec::new();
    };
    let captions = [
        "Each class: precision, recall, F1, and how many examples have it.",
        "Confusion matrix: a row for each true class, a column for each predicted one.",
    ];
    let tables = report.tables().into_iter().zip(captions);
    let table = |(mut rows, caption): (Vec<Vec<String>>, &str)| Table {
        caption: caption.to_owned(),
        header: rows.remove(0),
        rows,
    };
    tables.map(table).collect()
}

/// How the files, their columns and labels, and the tokenizer were read.
fn understood(record: &Value) -> Option<Table> {
    let record = record.as_object()?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |what: &str, value: String| rows.push(vec![what.to_owned(), value]);
    for file in record
        .get("files")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let number = |key: &str| shown(Some(&file[key]));
        let (examples, cut, blank) = (number("examples"), number("cut"), number("blank"));
        let mut line = format!("{examples} examples, {cut} of them cut off, {blank} with a blank text");
        let others = list(&file["columns_not_used"]);
        if !others.is_empty() {
            line = format!("{line}; columns not used: {others}");
        }
        add(&number("file"), line);
    }
    for (what, key) in [
        ("text columns", "text_columns"),
        ("label column", "label_column"),
        ("problem", "problem_type"),
        ("longest text, in tokens", "max_seq_length"),
        ("values to train on, least and largest", "range"),
    ] {
        if let Some(value) = record.get(key) {
            add(what, list(value));
        }
    }
    let classes = record.get("classes").and_then(Value::as_object);
    let counts = classes.into_iter().flatten();
    let all: f64 = counts.clone().filter_map(|(_, count)| count.as_f64()).sum();
    for (class, count) in counts {
        let share = rounded(count.as_f64().map(|count| 100.0 * count / all), 1);
        add(
            &format!("class {class}"),
            format!("{count} examples to train on ({share} %)"),
        );
    }
    let head = record.get("head").and_then(Value::as_object);
    for (key, value) in head.into_iter().flatten() {
        add(&format!("head: {key}"), list(value));
    }
    rows.extend(tokenizer(record.get("tokenizer")?));
    Some(Table {
        caption: "How the program read files, labels and tokenizer.".to_owned(),
        header: vec!["what".to_owned(), "value".to_owned()],
        rows,
    })
}

/// The tokenizer's settings, each with the file that it is from.
fn tokenizer(record: &Value) -> Vec<Vec<String>> {
    let sourced = |value: &Value| {
        format!(
            "{} ({})",
            shown(Some(&value["value"])),
            shown(Some(&value["source"]))
        )
    };
    let mut rows = vec![vec!["tokenizer".to_owned(), sourced(&record["class"])]];
    let settings = record["settings"].as_object().into_iter().flatten();
    rows.extend(settings.map(|(name, value)| vec![format!("tokenizer: {name}"), sourced(value)]));
    let remarks = record["remarks"].as_array().into_iter().flatten();
    rows.extend(remarks.map(|remark| vec!["tokenizer: remark".to_owned(), shown(Some(remark))]));
    rows
}

/// The items of a list after commas, or the value that is none.
fn list(value: &Value) -> String {
    let Some(items) = value.as_array() else {
        return shown(Some(value));
    };
    let items: Vec<String> = items.iter().map(|item| shown(Some(item))).collect();
    items.join(", ")
}
