//! What a model should say: of one sequence or its tokens, and of a batch.

use ndarray::Array2;

/// What one sequence should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The index of its class, from 0.
    Class(usize),
    /// A finite value.
    Value(f64),
    /// Of each label whether it applies, in label order.
    Labels(Vec<bool>),
    /// The class of each token; of a token that has none, and does not count, `None`.
    Tags(Vec<Option<usize>>),
}

/// What the sequences of a batch should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A class for each sequence.
    Classes(Vec<usize>),
    /// Values, `[b, c]`.
    Values(Array2<f64>),
    /// Of each label whether it applies, 1 or 0, `[b, c]`.
    Labels(Array2<f64>),
    /// The class of each token of the packed batch, `[n]`, if it has one.
    Tags(Vec<Option<usize>>),
}

impl Targets {
    /// The targets of these sequences, in their order; of none, no classes.
    ///
    /// # Panics
    /// If they are of several kinds, or of different numbers of labels.
    pub fn of<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Self {
        let mut all = targets.into_iter().peekable();
        match all.peek() {
            Some(Target::Value(_)) => Self::Values(matrix(all.map(|target| match target {
                Target::Value(value) => vec![*value],
                _ => panic!("{MIXED}"),
            }))),
            Some(Target::Labels(_)) => Self::Labels(matrix(all.map(|target| match target {
                Target::Labels(labels) => labels.iter().map(|&applies| f64::from(applies)).collect(),
                _ => panic!("{MIXED}"),
            }))),
            Some(Target::Tags(_)) => Self::Tags(
                all.flat_map(|target| match target {
                    Target::Tags(tags) => tags.clone(),
                    _ => panic!("{MIXED}"),
                })
                .collect(),
            ),
            _ => Self::Classes(
                all.map(|target| match target {
                    Target::Class(class) => *class,
                    _ => panic!("{MIXED}"),
                })
                .collect(),
            ),
        }
    }
}

const MIXED: &str = "targets of several kinds in one batch";

/// Rows of one length.
fn matrix(rows: impl Iterator<Item = Vec<f64>>) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = rows.collect();
    let shape = (rows.len(), rows.first().map_or(0, Vec::len));
    Array2::from_shape_vec(shape, rows.concat()).expect("rows of one length")
}
