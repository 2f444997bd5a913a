//! The GLUE tasks as a table: files, columns, labels and metrics of each.
//!
//! Source: Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding",
//! ICLR 2019, arXiv 1804.07461. The order of labels and their names are those of the Hugging Face data set `glue`,
//! so class 0 of a model trained here is class 0 of a model trained there.

use super::error::DataError;
use super::label::LabelSpace;
use super::metric::Metric;

/// Which columns a file has, and which of them matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// The first line names them.
    Named {
        /// The first or only text.
        text_a: &'static str,
        /// The second text of a pair task.
        text_b: Option<&'static str>,
        /// The label.
        label: &'static str,
    },
    /// There is no such line; positions count from 0.
    Unnamed {
        /// Columns of a line.
        count: usize,
        /// The only text.
        text: usize,
        /// The label.
        label: usize,
    },
}

/// What to do with a line that has too few columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// It is an error.
    Refuse,
    /// It is left out and counted. Only QQP, whose published `train.tsv` and `dev.tsv` hold a few broken lines that
    /// the usual readers of GLUE drop.
    Skip,
}

/// One class: how the file writes it, and how people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLabel {
    /// The text in the label column, for example `1`.
    pub text: &'static str,
    /// The display name, for example `acceptable`.
    pub name: &'static str,
}

/// What is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One of these classes, in class order.
    Classes(&'static [TaskLabel]),
    /// A number (STS-B: similarity from 0 to 5).
    Value,
}

/// A file to evaluate on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevFile {
    /// Its name in the task's folder.
    pub name: &'static str,
    /// What `run_glue.py` appends to the names of its metrics: `_mm` for MNLI mismatched, else nothing.
    pub suffix: &'static str,
}

/// A file of texts without labels, whose predictions GLUE's server scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestFile {
    /// Its name in the task's folder.
    pub name: &'static str,
    /// The file that the server takes.
    pub submission: &'static str,
    /// The examples that the published file has.
    pub examples: usize,
}

const fn test(name: &'static str, submission: &'static str, examples: usize) -> TestFile {
    TestFile {
        name,
        submission,
        examples,
    }
}

/// One GLUE task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The name that `--task-name` takes.
    pub key: &'static str,
    /// The file to train on.
    pub train_file: &'static str,
    /// The files to evaluate on.
    pub dev_files: &'static [DevFile],
    /// The files to submit predictions of.
    pub test_files: &'static [TestFile],
    /// Where the texts and the label stand.
    pub columns: Columns,
    /// What a line with too few columns means.
    pub incomplete: Incomplete,
    /// What is to be predicted.
    pub outcome: Outcome,
    /// What is reported, in this order.
    pub metrics: &'static [Metric],
    /// The metric that stands for the task where one number must: in a study, and to choose the best of several
    /// evaluations. The published comparisons of fine-tuning stability use the same.
    pub headline: Metric,
}

const DEV: &[DevFile] = &[DevFile {
    name: "dev.tsv",
    suffix: "",
}];

const ENTAILMENT: &[TaskLabel] = &[
    TaskLabel {
        text: "entailment",
        name: "entailment",
    },
    TaskLabel {
        text: "not_entailment",
        name: "not_entailment",
    },
];

/// What most tasks share: a pair of texts under a header, accuracy. Each row of [`TASKS`] says where it differs.
const PAIR: Task = Task {
    key: "",
    train_file: "train.tsv",
    dev_files: DEV,
    test_files: &[],
    columns: named("sentence1", Some("sentence2"), "label"),
    incomplete: Incomplete::Refuse,
    outcome: Outcome::Classes(ENTAILMENT),
    metrics: &[Metric::Accuracy],
    headline: Metric::Accuracy,
};

/// Every task, in the order in which messages list them.
pub static TASKS: [Task; 9] = [
    Task {
        key: "cola",
        test_files: &[test("test.tsv", "CoLA.tsv", 1063)],
        columns: Columns::Unnamed {
            count: 4,
            text: 3,
            label: 1,
        },
        outcome: Outcome::Classes(&zero_one("unacceptable", "acceptable")),
        metrics: &[Metric::Matthews],
        headline: Metric::Matthews,
        ..PAIR
    },
    Task {
        key: "sst2",
        test_files: &[test("test.tsv", "SST-2.tsv", 1821)],
        columns: named("sentence", None, "label"),
        outcome: Outcome::Classes(&zero_one("negative", "positive")),
        ..PAIR
    },
    Task {
        key: "mrpc",
        test_files: &[test("test.tsv", "MRPC.tsv", 1725)],
        columns: named("#1 String", Some("#2 String"), "Quality"),
        outcome: Outcome::Classes(&zero_one("not_equivalent", "equivalent")),
        metrics: &[Metric::Accuracy, Metric::F1],
        headline: Metric::F1,
        ..PAIR
    },
    Task {
        key: "stsb",
        test_files: &[test("test.tsv", "STS-B.tsv", 1379)],
        columns: named("sentence1", Some("sentence2"), "score"),
        outcome: Outcome::Value,
        metrics: &[Metric::Pearson, Metric::Spearman],
        headline: Metric::Pearson,
        ..PAIR
    },
    Task {
        key: "qqp",
        test_files: &[test("test.tsv", "QQP.tsv", 390_965)],
        incomplete: Incomplete::Skip,
        columns: named("question1", Some("question2"), "is_duplicate"),
        outcome: Outcome::Classes(&zero_one("not_duplicate", "duplicate")),
        metrics: &[Metric::Accuracy, Metric::F1],
        headline: Metric::F1,
        ..PAIR
    },
    Task {
        key: "mnli",
        test_files: &[
            test("test_matched.tsv", "MNLI-m.tsv", 9796),
            test("test_mismatched.tsv", "MNLI-mm.tsv", 9847),
        ],
        dev_files: &[
            DevFile {
                name: "dev_matched.tsv",
                suffix: "",
            },
            DevFile {
                name: "dev_mismatched.tsv",
                suffix: "_mm",
            },
        ],
        columns: named("sentence1", Some("sentence2"), "gold_label"),
        outcome: Outcome::Classes(&[
            TaskLabel {
                text: "entailment",
                name: "entailment",
            },
            TaskLabel {
                text: "neutral",
                name: "neutral",
            },
            TaskLabel {
                text: "contradiction",
                name: "contradiction",
            },
        ]),
        ..PAIR
    },
    Task {
        key: "qnli",
        test_files: &[test("test.tsv", "QNLI.tsv", 5463)],
        columns: named("question", Some("sentence"), "label"),
        ..PAIR
    },
    Task {
        key: "rte",
        test_files: &[test("test.tsv", "RTE.tsv", 3000)],
        ..PAIR
    },
    Task {
        key: "wnli",
        test_files: &[test("test.tsv", "WNLI.tsv", 146)],
        outcome: Outcome::Classes(&zero_one("not_entailment", "entailment")),
        ..PAIR
    },
];

/// Columns under a header.
const fn named(text_a: &'static str, text_b: Option<&'static str>, label: &'static str) -> Columns {
    Columns::Named {
        text_a,
        text_b,
        label,
    }
}

/// The classes of a file that writes them `0` and `1`.
const fn zero_one(zero: &'static str, one: &'static str) -> [TaskLabel; 2] {
    [
        TaskLabel {
            text: "0",
            name: zero,
        },
        TaskLabel { text: "1", name: one },
    ]
}

impl Task {
    /// The task of this name; upper case and the spellings `STS-B`, `SST-2` are accepted.
    ///
    /// # Errors
    /// [`DataError::UnknownTask`] with the known names, and the nearest one where there is a near one.
    pub fn parse(name: &str) -> Result<&'static Self, DataError> {
        let wanted = plain(name);
        TASKS
            .iter()
            .find(|task| task.key == wanted)
            .ok_or_else(|| DataError::UnknownTask {
                name: name.to_owned(),
            })
    }

    /// The text columns of the task's test files, which all have a header; that of `CoLA` has one text, `sentence`.
    pub fn test_texts(&self) -> (&'static str, Option<&'static str>) {
        match self.columns {
            Columns::Named { text_a, text_b, .. } => (text_a, text_b),
            Columns::Unnamed { .. } => ("sentence", None),
        }
    }

    /// The text of a submission that stands for a class: as the task's files write it.
    pub fn class_text(&self, class: usize) -> Option<&'static str> {
        match self.outcome {
            Outcome::Classes(labels) => labels.get(class).map(|label| label.text),
            Outcome::Value => None,
        }
    }

    /// The classes by display name, or a number.
    pub fn label_space(&self) -> LabelSpace {
        match self.outcome {
            Outcome::Classes(labels) => {
                LabelSpace::Classes(labels.iter().map(|label| label.name.to_owned()).collect())
            }
            Outcome::Value => LabelSpace::Values,
        }
    }
}

/// The known name that takes the fewest edits to reach, if two or fewer do; the first in the table of several.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(&plain(name), TASKS.iter().map(|task| task.key))
}

/// The known name that takes the fewest edits to reach, if two or fewer do; the first of several.
pub(crate) fn nearest_of<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = name.chars().count();
    known
        .into_iter()
        // No fewer edits than the lengths differ by: a name of a million characters is not compared.
        .filter(|known| known.chars().count().abs_diff(length) <= 2)
        .map(|known| (edits(name, known), known))
        .filter(|&(distance, _)| distance <= 2)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, known)| known)
}

/// Lower case, without hyphens and underscores.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements of a character from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::edits;

    /// kitten → sitten → sittin → sitting: three edits, the textbook's example.
    #[test]
    fn edits_of_known_pairs() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "rte"), 3);
        assert_eq!(edits("rte", ""), 3);
        assert_eq!(edits("rte", "rte"), 0);
        assert_eq!(edits("rtee", "rte"), 1);
    }
}
