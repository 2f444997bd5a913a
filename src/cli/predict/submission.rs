//! The files that GLUE's server takes: `index` and `prediction`, between tabs, one file for each test file.
//!
//! Labels are spelled as the task's own files spell them: `entailment` and `not_entailment` of RTE and QNLI, three words of
//! MNLI, `0` and `1` of `CoLA`, SST-2, MRPC, QQP and WNLI; of STS-B a number in `[0, 5]` with three decimals.

use super::input::TestSet;
use crate::checkpoint;
use crate::cli::score::largest;
use crate::cli::{Error, output, print_document};
use crate::data::{Outcome, Task};
use std::path::{Path, PathBuf};

/// Writes the files, or prints the only one.
pub(super) fn write(test: &TestSet, logits: &[Vec<f64>], output: Option<&Path>) -> Result<(), Error> {
    let (mut texts, mut rest) = (Vec::new(), logits);
    for (_, indices) in &test.files {
        let (these, others) = rest.split_at(indices.len());
        texts.push(text(test.task, indices, these)?);
        rest = others;
    }
    let Some(output) = output else {
        return texts.iter().try_for_each(|text| print_document(text));
    };
    for (path, text) in paths(test, output)?.into_iter().zip(texts) {
        output::make_parent(&path)?;
        checkpoint::write_atomic(&path, |out| out.write_all(text.as_bytes()))?;
    }
    Ok(())
}

/// Before anything is predicted: several files need a folder.
pub(super) fn check(task: &Task, output: Option<&Path>) -> Result<(), Error> {
    let files: Vec<&str> = task.test_files.iter().map(|file| file.submission).collect();
    let is_file = output.is_none_or(is_file);
    if files.len() > 1 && is_file {
        return Err(Error::Usage(format!(
            "the predictions of {} are {}: give their folder with --output",
            task.key,
            files.join(" and ")
        )));
    }
    Ok(())
}

/// A path that ends in `.tsv`, or that is there and is no folder, is the file itself; any other is the folder.
fn is_file(output: &Path) -> bool {
    let is_tsv = output
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    !output.is_dir() && (is_tsv || output.exists())
}

fn paths(test: &TestSet, output: &Path) -> Result<Vec<PathBuf>, Error> {
    check(test.task, Some(output))?;
    if is_file(output) {
        return Ok(vec![output.to_owned()]);
    }
    let names = test.files.iter().map(|(file, _)| output.join(file.submission));
    Ok(names.collect())
}

/// One file.
fn text(task: &Task, indices: &[String], logits: &[Vec<f64>]) -> Result<String, Error> {
    let mut text = "index\tprediction\n".to_owned();
    for (index, z) in indices.iter().zip(logits) {
        if z.iter().any(|z| !z.is_finite()) {
            return Err(Error::Usage(format!(
                "the prediction of index {index} is not a finite number: nothing is submitted"
            )));
        }
        let prediction = match task.outcome {
            Outcome::Value => format!("{:.3}", z[0].clamp(0.0, 5.0).abs()),
            Outcome::Classes(_) => task.class_text(largest(z)).unwrap_or_default().to_owned(),
        };
        text.extend([index.as_str(), "\t", &prediction, "\n"]);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::data::Task;

    fn submitted(task: &str, logits: &[&[f64]]) -> Result<String, String> {
        let indices: Vec<String> = (0..logits.len()).map(|index| index.to_string()).collect();
        let logits: Vec<Vec<f64>> = logits.iter().map(|z| z.to_vec()).collect();
        let task = Task::parse(task).expect("a task");
        text(task, &indices, &logits).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_cut_to_the_scale() {
        let text = submitted("stsb", &[&[7.25], &[-0.5], &[2.345_67], &[-0.0], &[5.0]]);
        let expected = "index\tprediction\n0\t5.000\n1\t0.000\n2\t2.346\n3\t0.000\n4\t5.000\n";
        assert_eq!(text.as_deref(), Ok(expected));
        let refused = "the prediction of index 1 is not a finite number: nothing is submitted".to_owned();
        for odd in [f64::NAN, f64::INFINITY] {
            assert_eq!(submitted("stsb", &[&[1.0], &[odd]]), Err(refused.clone()));
            assert_eq!(
                submitted("rte", &[&[1.0, 0.0], &[0.0, odd]]),
                Err(refused.clone())
            );
        }
    }

    /// What each class is called in a submission, by GLUE's own files.
    #[test]
    fn labels_are_spelled_as_the_task_spells_them() {
        let of_two = |task: &str| submitted(task, &[&[1.0, 0.0], &[0.0, 1.0]]);
        for task in ["cola", "sst2", "mrpc", "qqp", "wnli"] {
            assert_eq!(
                of_two(task).as_deref(),
                Ok("index\tprediction\n0\t0\n1\t1\n"),
                "{task}"
            );
        }
        for task in ["rte", "qnli"] {
            let expected = "index\tprediction\n0\tentailment\n1\tnot_entailment\n";
            assert_eq!(of_two(task).as_deref(), Ok(expected), "{task}");
        }
        let three = submitted("mnli", &[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
        let expected = "index\tprediction\n0\tentailment\n1\tneutral\n2\tcontradiction\n";
        assert_eq!(three.as_deref(), Ok(expected));
    }
}
