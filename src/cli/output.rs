//! The output folder of a run: who may write into it, and its JSON files.

use super::args::Finetune;
use super::class_report::ClassReport;
use super::progress::clock;
use super::score::Scores;
use super::{Error, reading, resume};
use crate::checkpoint;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings, versions and hashes of a run.
pub(super) const RUN: &str = "run.json";
/// One JSON object for each logged step and each evaluation.
pub(super) const LOG: &str = "log.jsonl";

/// The last evaluation, or the best.
pub(super) const EVAL: &str = "eval_results.json";
/// The held-out loss and accuracy of a pretraining over its steps.
pub(super) const CURVE: &str = "curve.svg";
/// All results of a run; written last, so a run that has it is finished.
pub(super) const ALL: &str = "all_results.json";

/// What a run writes beside its checkpoints. The model's files are among them, lest a tokenizer of the run before stay
/// beside the new model.
const WRITTEN: [&str; 16] = [
    RUN,
    reading::FILE,
    LOG,
    ALL,
    EVAL,
    "train_results.json",
    CURVE,
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];

/// The output folder's path: as given, or named after what makes the run.
pub(super) fn folder(args: &Finetune) -> PathBuf {
    args.output.clone().unwrap_or_else(|| {
        let stem = |path: &Path| {
            path.file_stem()
                .map_or("data".to_owned(), |name| name.to_string_lossy().into_owned())
        };
        let model = args
            .model
            .dir
            .canonicalize()
            .unwrap_or_else(|_| args.model.dir.clone());
        let model = model.file_name().map_or("model".to_owned(), |name| {
            name.to_string_lossy().replace(':', "-")
        });
        let task = match (&args.data.task, &args.train_file) {
            (Some(task), _) => crate::study::folder_name(&task.to_lowercase()),
            (None, Some(file)) => stem(file),
            (None, None) => "data".to_owned(),
        };
        let clip = args.clip.to_string().replace(':', "-");
        Path::new("runs").join(format!("{task}-{model}-{clip}-seed{}", args.seed))
    })
}

/// How a run may use a folder that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub(super) overwrite: bool,
    pub(super) resume: bool,
    /// The folder that the run reads its model from, which it may not replace.
    pub(super) model: Option<&'a Path>,
}

/// Held by the run that writes into a folder; the system releases it when the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    _folder: Option<fs::File>,
}

impl Lock {
    /// Locks the folder itself, so that no file is left in it. Where a system cannot do that, nothing is locked.
    fn take(dir: &Path) -> Result<Self, Error> {
        let folder = fs::File::open(dir).ok();
        if let Some(folder) = &folder
            && matches!(folder.try_lock(), Err(fs::TryLockError::WouldBlock))
        {
            return Err(Error::Usage(format!(
                "output folder {} is in use: another run writes into it",
                dir.display()
            )));
        }
        Ok(Self { _folder: folder })
    }
}

/// Makes the folder, or checks that what is in it may be replaced or resumed, and locks it.
pub(super) fn prepare(dir: &Path, claim: Claim<'_>) -> Result<Lock, Error> {
    fs::create_dir_all(dir).map_err(|source| Error::Folder {
        path: dir.to_owned(),
        source,
    })?;
    let lock = Lock::take(dir)?;
    let (left_over, entries): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(dir)?.into_iter().partition(|path| is_left_over(path));
    let refuse = |why: &str| Err(Error::Usage(format!("output folder {} {why}", dir.display())));
    // Only what a run writes is removed: the folder may be the wrong one.
    let mut unwanted = left_over;
    if entries.is_empty() {
    } else if claim.model.is_some_and(|model| is_same(dir, model)) {
        return refuse("is the model folder; the run would replace the model that it starts from");
    } else if claim.overwrite {
        let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let is_written = |path: &PathBuf| name(path).is_some_and(|name| WRITTEN.contains(&name.as_str()));
        unwanted.extend(resume::checkpoints(dir)?.into_iter().map(|(_, path)| path));
        unwanted.extend(entries.into_iter().filter(is_written));
        // A report on the run before would stand beside the new one.
        let reports = super::report::run::WRITTEN.map(|name| dir.join("report").join(name));
        unwanted.extend(reports.into_iter().filter(|path| path.is_file()));
    } else if !claim.resume {
        return refuse("is not empty; --overwrite replaces the run in it, --resume goes on with it");
    } else if !dir.join(RUN).exists() {
        return refuse("is not empty and has no run.json, so there is no run to resume in it");
    }
    for path in unwanted {
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(|source| Error::Folder { path, source })?;
    }
    Ok(lock)
}

/// Whether a path is something unfinished that a process left when it died.
pub(super) fn is_left_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    resume::is_partial(path) || name.starts_with(".cwgnc-") && name.ends_with(".tmp")
}

/// Whether two paths lead to one file or folder.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The paths in a folder, sorted.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::Folder {
        path: dir.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        paths.push(entry.map_err(fail)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Makes the folder that a file is to be written in.
pub(super) fn make_parent(file: &Path) -> Result<(), Error> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })
}

/// Writes a JSON object.
pub(super) fn write_json(path: &Path, object: &Map<String, Value>) -> Result<(), Error> {
    let text = format!("{:#}\n", Value::Object(object.clone()));
    Ok(checkpoint::write_atomic(path, |out| {
        out.write_all(text.as_bytes())
    })?)
}

/// The measurements of the training of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrainingTotals {
    /// Steps taken by this process.
    pub(super) steps: usize,
    /// Tokens that went through the model in this process.
    pub(super) tokens: usize,
    /// Examples that went through the model in this process.
    pub(super) samples: usize,
    /// Wall time of this process' steps.
    pub(super) seconds: f64,
    /// The sum of the losses of all steps of the run, also those before a resume.
    pub(super) loss_sum: f64,
    /// All steps of the run.
    pub(super) all_steps: usize,
}

impl TrainingTotals {
    /// How long the steps of this process took, if there were any.
    pub(super) fn summary(&self) -> Option<String> {
        let time = clock(Duration::from_secs_f64(self.seconds));
        let speed = self.tokens as f64 / self.seconds;
        (self.steps > 0).then(|| format!("trained {} steps in {time} ({speed:.0} tokens/s)", self.steps))
    }

    /// The mean loss of all steps so far.
    pub(super) fn mean_loss(&self) -> Option<f64> {
        (self.all_steps > 0).then(|| self.loss_sum / self.all_steps as f64)
    }
}

/// The contents of `train_results.json`.
pub(super) fn train_results(totals: &TrainingTotals, samples: usize, epoch: f64) -> Map<String, Value> {
    let per_second = |count: usize| {
        if totals.seconds > 0.0 {
            count as f64 / totals.seconds
        } else {
            0.0
        }
    };
    sorted(json!({
        "epoch": epoch,
        "train_loss": totals.mean_loss(),
        "train_runtime": totals.seconds,
        "train_samples": samples,
        "train_samples_per_second": per_second(totals.samples),
        "train_steps_per_second": per_second(totals.steps),
        "train_tokens_per_second": per_second(totals.tokens),
    }))
}

/// The contents of `eval_results.json`; a metric that is not defined is `null`.
pub(super) fn eval_results(scores: &[Scores], epoch: Option<f64>) -> Map<String, Value> {
    let mut results = Map::new();
    if let Some(epoch) = epoch {
        results.insert("epoch".to_owned(), epoch.into());
    }
    for Scores {
        values,
        further,
        classes,
        samples,
        batches,
        seconds,
        suffix,
    } in scores
    {
        for (name, value) in values.iter().chain(further) {
            results.insert(name.clone(), (*value).into());
        }
        // Only files of one's own have them, and no suffix.
        for (name, value) in classes.iter().flat_map(ClassReport::record) {
            results.insert(name.to_owned(), value);
        }
        let mut measured = |name: &str, value: Value| results.insert(format!("eval_{name}{suffix}"), value);
        measured("samples", (*samples).into());
        measured("runtime", (*seconds).into());
        measured("samples_per_second", (*samples as f64 / seconds).into());
        measured("steps_per_second", (*batches as f64 / seconds).into());
    }
    sorted(Value::Object(results))
}

/// An object with its keys in order.
fn sorted(object: Value) -> Map<String, Value> {
    let Value::Object(map) = object else {
        return Map::new();
    };
    let mut pairs: Vec<(String, Value)> = map.into_iter().collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs.into_iter().collect()
}

/// Writes the files of results, of training and of the evaluation, and of both in one, which it returns.
pub(super) fn write_results(
    dir: &Path,
    train: &Map<String, Value>,
    eval: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let all = merged(train, eval);
    for (name, results) in [("train_results.json", train), (EVAL, eval), (ALL, &all)] {
        write_json(&dir.join(name), results)?;
    }
    Ok(all)
}

fn merged(a: &Map<String, Value>, b: &Map<String, Value>) -> Map<String, Value> {
    sorted(Value::Object(
        a.iter()
            .chain(b)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    ))
}
