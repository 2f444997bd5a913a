//! A folder's weights into a model: first decide everything by names, shapes and types, then copy.

use super::config::large_parameters;
use super::names::{self, Part};
use super::weights::{Tensor, Weights};
use super::{
    CheckpointError, LoadReport, LoadedFile, ProblemKind, TakenTensor, TensorProblem, element, file,
};
use crate::model::{Family, ModelConfig};
use crate::param::ParamTree;
use crate::real::Real;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the model is loaded for, which decides what the file may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To evaluate, predict or go on training: every tensor comes from the file, and nothing unknown is left over.
    Inference,
    /// To train on a task: the file may lack the pooler or a head, its head may have another number of labels, and
    /// tensors outside the encoder that the model does not use are ignored.
    FineTuning,
}

/// A model, made by `zeros` and filled with the weights of the folder `dir` as [`load_into`] does it.
///
/// Nothing is allocated for sizes in `config.json` that the weights are far from filling.
///
/// # Errors
/// [`CheckpointError`], as of [`load_into`].
pub fn load<T: Real, M: ParamTree<T>>(
    dir: &Path,
    config: &ModelConfig,
    purpose: Purpose,
    zeros: fn(&ModelConfig) -> M,
) -> Result<(M, LoadReport), CheckpointError> {
    let weights = Weights::open(dir)?;
    let (asked, found) = (large_parameters(config), weights.elements());
    if asked > SMALL.max(4 * found) {
        return Err(CheckpointError::Config {
            path: dir.join("config.json"),
            problem: format!("its sizes ask for {asked} parameters, and the weights have {found}"),
        });
    }
    let mut model = zeros(config);
    let report = fill(&weights, config, purpose, &mut model)?;
    Ok((model, report))
}

/// So many elements are allocated without a question: tensors that differ are then listed one by one.
const SMALL: u128 = 100_000_000;

/// Loads the weights of the folder `dir` (`model.safetensors`, or the shards of `model.safetensors.index.json`).
///
/// Values become `T` by rounding to nearest. Old spellings (`LayerNorm.gamma`, no `bert.` in front) are translated.
/// With [`Purpose::FineTuning`] the tensors of [`LoadReport::to_initialise`] keep the values they had in `model`: the
/// caller initialises them.
///
/// # Errors
/// [`CheckpointError`] if a file cannot be read or is damaged, or [`CheckpointError::Tensors`] with *every* tensor
/// that is missing, misshapen, of an unusable type, not part of the model, given twice, or not finite. `model` is then
/// unchanged.
pub fn load_into<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    purpose: Purpose,
    model: &mut impl ParamTree<T>,
) -> Result<LoadReport, CheckpointError> {
    fill(&Weights::open(dir)?, config, purpose, model)
}

fn fill<T: Real>(
    weights: &Weights,
    config: &ModelConfig,
    purpose: Purpose,
    model: &mut impl ParamTree<T>,
) -> Result<LoadReport, CheckpointError> {
    let wanted: Vec<(String, Vec<usize>)> = model
        .params()
        .into_iter()
        .map(|(name, view)| (name, view.shape().to_vec()))
        .collect();
    let plan = Matching::new(weights, config.family, purpose)?.plan(&wanted);
    let mut problems = plan.problems;
    problems.extend(
        plan.sources
            .iter()
            .filter_map(|(name, found)| non_finite::<T>(name, found.tensor)),
    );
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.name.cmp(&b.name));
        return Err(CheckpointError::Tensors {
            path: weights.path.clone(),
            problems,
        });
    }
    for (name, mut view) in model.params_mut() {
        if let Some(found) = plan.sources.get(name.as_str()) {
            let mut values = view.iter_mut();
            element::each(found.tensor.entry.dtype, found.tensor.data(), |x| {
                if let Some(value) = values.next() {
                    *value = T::of(x);
                }
            });
        }
    }
    let mut report = LoadReport {
        files: weights.files.iter().map(describe).collect(),
        taken: Vec::new(),
        renamed: Vec::new(),
        ignored: plan.ignored.into_iter().collect(),
        to_initialise: plan.to_initialise,
        other_labels: plan.other_labels,
    };
    for (name, shape) in &wanted {
        if let Some(found) = plan.sources.get(name.as_str()) {
            let dtype = found.tensor.entry.dtype.to_string();
            report.taken.push(TakenTensor {
                name: name.clone(),
                dtype,
                shape: shape.clone(),
            });
            if found.name != name {
                report.renamed.push((found.name.to_owned(), name.clone()));
            }
        }
    }
    Ok(report)
}

fn describe(file: &super::tensor_file::TensorFile) -> LoadedFile {
    LoadedFile {
        path: file.path.clone(),
        bytes: file.bytes.len() as u64,
        hash: file::fnv1a64(&file.bytes),
    }
}

/// A tensor under the name that the file gives it.
#[derive(Clone, Copy)]
struct Found<'a> {
    name: &'a str,
    tensor: Tensor<'a>,
}

/// The file's tensors by today's names.
struct Matching<'a> {
    family: Family,
    purpose: Purpose,
    found: BTreeMap<String, Vec<Found<'a>>>,
}

/// What stands before the names of an encoder that something is wrapped around, such as `module.`.
fn prefix(weights: &Weights) -> Option<&str> {
    let first = "embeddings.word_embeddings.weight";
    let before = weights.tensors().find_map(|(name, _)| name.strip_suffix(first))?;
    let families = [Family::Bert, Family::Roberta].map(Family::model_type);
    let outer = |family: &str| before.strip_suffix('.')?.strip_suffix(family);
    let prefix = families.into_iter().find_map(outer).unwrap_or(before);
    Some(prefix).filter(|prefix| !prefix.is_empty())
}

/// What to do with every tensor.
struct Plan<'a> {
    sources: BTreeMap<&'a str, Found<'a>>,
    ignored: BTreeSet<String>,
    to_initialise: Vec<String>,
    other_labels: Vec<String>,
    problems: Vec<TensorProblem>,
}

impl<'a> Matching<'a> {
    fn new(weights: &'a Weights, family: Family, purpose: Purpose) -> Result<Self, CheckpointError> {
        let mut found: BTreeMap<String, Vec<Found<'a>>> = BTreeMap::new();
        for (name, tensor) in weights.tensors() {
            found
                .entry(names::target(family, name))
                .or_default()
                .push(Found { name, tensor });
        }
        let other = match family {
            Family::Bert => Family::Roberta,
            Family::Roberta => Family::Bert,
        };
        let holds = |family| {
            found
                .keys()
                .any(|name| names::part(family, name) == Part::Encoder)
        };
        if holds(other) && !holds(family) {
            let (expected, found) = (family.model_type(), other.model_type());
            return Err(CheckpointError::Family {
                path: weights.path.clone(),
                expected,
                found,
            });
        }
        if !holds(family)
            && let Some(prefix) = prefix(weights)
        {
            let (path, prefix) = (weights.path.clone(), prefix.to_owned());
            return Err(CheckpointError::Prefix { path, prefix });
        }
        Ok(Self {
            family,
            purpose,
            found,
        })
    }

    fn part(&self, name: &str) -> Part {
        names::part(self.family, name)
    }

    fn plan(&self, wanted: &'a [(String, Vec<usize>)]) -> Plan<'a> {
        let mut plan = Plan {
            sources: BTreeMap::new(),
            ignored: BTreeSet::new(),
            to_initialise: Vec::new(),
            other_labels: Vec::new(),
            problems: Vec::new(),
        };
        let labels_agree = self.labels_agree(wanted);
        for (name, shape) in wanted {
            match self.found.get(name).map(Vec::as_slice) {
                None => self.lacks(&mut plan, wanted, name, shape),
                Some([found]) => self.offers(&mut plan, name, shape, *found, labels_agree),
                Some(several) => {
                    let sources = several.iter().map(|found| found.name.to_owned()).collect();
                    plan.refuse(name, ProblemKind::Twice { sources });
                }
            }
        }
        self.judge_rest(&mut plan, wanted);
        plan
    }

    /// A wanted tensor that the file lacks: a whole pooler or head may be new, half of one is damage.
    fn lacks(&self, plan: &mut Plan<'_>, wanted: &[(String, Vec<usize>)], name: &str, shape: &[usize]) {
        let part = self.part(name);
        let may_be_new = matches!(part, Part::Pooler | Part::Head | Part::Predictions);
        let is_whole = !wanted
            .iter()
            .any(|(w, _)| self.part(w) == part && self.found.contains_key(w));
        let expected = shape.to_vec();
        if may_be_new && is_whole {
            match self.purpose {
                Purpose::FineTuning => plan.to_initialise.push(name.to_owned()),
                Purpose::Inference => plan.refuse(name, ProblemKind::NoHead { expected }),
            }
        } else {
            plan.refuse(name, ProblemKind::Missing { expected });
        }
    }

    /// A wanted tensor that the file has once.
    fn offers(
        &self,
        plan: &mut Plan<'a>,
        name: &'a str,
        shape: &[usize],
        found: Found<'a>,
        labels_agree: bool,
    ) {
        let entry = found.tensor.entry;
        if entry.shape != shape {
            let is_other_task = labels_agree && self.differs_in_labels(name, shape, &entry.shape);
            let (expected, found) = (shape.to_vec(), entry.shape.clone());
            match (is_other_task, self.purpose) {
                (true, Purpose::FineTuning) => {
                    plan.to_initialise.push(name.to_owned());
                    plan.other_labels.push(name.to_owned());
                }
                (true, Purpose::Inference) => plan.refuse(name, ProblemKind::Labels { expected, found }),
                (false, _) => plan.refuse(name, ProblemKind::Shape { expected, found }),
            }
        } else if element::is_readable(entry.dtype) {
            plan.sources.insert(name, found);
        } else {
            let (expected, found) = (element::READABLE, entry.dtype.to_string());
            plan.refuse(name, ProblemKind::Dtype { expected, found });
        }
    }

    /// Tensors of the file that the model does not want.
    fn judge_rest(&self, plan: &mut Plan<'_>, wanted: &[(String, Vec<usize>)]) {
        let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        let wants = |part| names.iter().any(|name| self.part(name) == part);
        let (has_pooler, has_predictions) = (wants(Part::Pooler), wants(Part::Predictions));
        for (name, several) in &self.found {
            let is_harmless = match self.part(name) {
                Part::Encoder => false,
                Part::Pooler => !has_pooler,
                Part::Predictions => !has_predictions,
                Part::Unused => true,
                Part::Head | Part::Other => self.purpose == Purpose::FineTuning,
            };
            for found in several.iter().filter(|_| !names.contains(name.as_str())) {
                let tied_to = names::tied_to(name).filter(|_| has_predictions);
                if let Some(to) = tied_to.filter(|to| !self.is_same(found, to)) {
                    plan.refuse(found.name, ProblemKind::Untied { to });
                } else if is_harmless || tied_to.is_some() {
                    plan.ignored.insert(found.name.to_owned());
                } else {
                    let shape = found.tensor.entry.shape.clone();
                    plan.refuse(found.name, ProblemKind::Unexpected { found: shape });
                }
            }
        }
    }

    /// Whether the file's tensor `name` has the shape, the type and the bytes of `found`.
    fn is_same(&self, found: &Found<'_>, name: &str) -> bool {
        let other = self.found.get(name).and_then(|several| several.first());
        other.is_some_and(|other| {
            let (a, b) = (found.tensor, other.tensor);
            a.entry.shape == b.entry.shape && a.entry.dtype == b.entry.dtype && a.data() == b.data()
        })
    }

    fn differs_in_labels(&self, name: &str, expected: &[usize], found: &[usize]) -> bool {
        names::is_output_layer(self.family, name)
            && expected.len() == found.len()
            && expected.get(1..) == found.get(1..)
            && expected.first() != found.first()
    }

    /// Whether the output layer's tensors in the file agree on the number of labels, if it is not the model's.
    fn labels_agree(&self, wanted: &[(String, Vec<usize>)]) -> bool {
        let output = wanted
            .iter()
            .filter(|(name, _)| names::is_output_layer(self.family, name));
        let other_counts: BTreeSet<Option<usize>> = output
            .map(|(name, shape)| {
                let found = &self.found.get(name)?.first()?.tensor.entry.shape;
                self.differs_in_labels(name, shape, found)
                    .then(|| found.first().copied())?
            })
            .collect();
        other_counts.len() <= 1
    }
}

impl Plan<'_> {
    fn refuse(&mut self, name: &str, kind: ProblemKind) {
        self.problems.push(TensorProblem {
            name: name.to_owned(),
            kind,
        });
    }
}

/// The first value that is not finite, or would not be as `T`.
fn non_finite<T: Real>(name: &str, tensor: Tensor<'_>) -> Option<TensorProblem> {
    let mut at = 0;
    let mut first = None;
    element::each(tensor.entry.dtype, tensor.data(), |x| {
        if first.is_none() && !T::of(x).is_finite() {
            first = Some((at, x));
        }
        at += 1;
    });
    first.map(|(flat, value)| TensorProblem {
        name: name.to_owned(),
        kind: ProblemKind::NonFinite {
            index: unravel(flat, &tensor.entry.shape),
            value,
            target: T::NAME,
        },
    })
}

/// The index per axis of the element at a row-major position.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|extent| {
            let i = flat % extent.max(&1);
            flat /= extent.max(&1);
            i
        })
        .collect();
    index.reverse();
    index
}
