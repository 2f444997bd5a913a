//! `study.json`: what a study's numbers depend on beside its settings.

use super::flags::Flags;
use super::folder::VERSIONS;
use crate::checkpoint;
use crate::cli::corpus::Corpus;
use crate::cli::settings::differences;
use crate::cli::{Error, output};
use crate::embedded;
use crate::gemm;
use crate::study::Study;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// In `study.json`, in a record and in `run.json`: whether the numbers are those of every machine with fused multiply-add.
pub(super) const PORTABLE: &str = "portable";
/// The version of the files of a study's folder.
pub(in crate::cli) const FORMAT: u64 = 1;

/// A folder's `study.json`.
pub(super) fn read_versions(path: &Path) -> Result<Map<String, Value>, Error> {
    let file = path.join(VERSIONS);
    serde_json::from_slice(&checkpoint::read(&file)?)
        .map_err(|error| Error::Study(format!("{}: not valid JSON: {error}", file.display())))
}

/// Where two `study.json` differ. Numbers of machines of both kinds go together only where they are asked to be `mixed`.
pub(super) fn version_differences(
    was: &Map<String, Value>,
    now: &Map<String, Value>,
    mixed: bool,
) -> Vec<String> {
    let (mut was, mut now) = (flat(was), flat(now));
    let kinds = (was.shift_remove(PORTABLE), now.shift_remove(PORTABLE));
    let mut changed = differences(&was, &now);
    if kinds.0 != kinds.1 && !mixed {
        let shown = |kind: Option<Value>| kind.unwrap_or_default();
        changed.push(format!(
            "{PORTABLE}: was {}, now {}: of one machine and another without fused multiply-add, whose numbers differ in \
             their last digits; --mixed-machines takes both",
            shown(kinds.0),
            shown(kinds.1)
        ));
    }
    changed
}

/// Records of another version of the program or of the format may mean something else.
pub(super) fn check_version(path: &Path, versions: &Map<String, Value>) -> Result<(), Error> {
    let said = |key: &str| versions.get(key).cloned().unwrap_or_default();
    let (format, version) = (said("format"), said("cwgnc_version"));
    if format != json!(FORMAT) || version != json!(env!("CARGO_PKG_VERSION")) {
        return Err(Error::Usage(format!(
            "{}: made by cwgnc {} with study format {format}; this is cwgnc {} with format {FORMAT}",
            path.join(VERSIONS).display(),
            version.as_str().unwrap_or("?"),
            env!("CARGO_PKG_VERSION"),
        )));
    }
    Ok(())
}

/// What a study's numbers depend on beside its settings.
pub(super) fn versions(study: &Study, flags: &Flags) -> Result<Map<String, Value>, Error> {
    let (mut models, mut data) = (Map::new(), Map::new());
    let mut seen = BTreeSet::new();
    let first = study.seeds[0];
    for run in study.runs().iter().filter(|run| run.seed == first) {
        let args = flags.parse(&run.settings()).map_err(Error::Usage)?;
        if seen.insert(format!("model {}", args.model.dir.display())) {
            models.extend(model_files(&args.model.dir)?);
        }
        let sources = [&args.data.data, &args.train_file, &args.data.validation_file];
        if seen.insert(format!("data {:?} {sources:?}", args.data.task)) {
            let corpus = Corpus::for_finetuning(&args)?;
            if let Err(error) = corpus.headline.of_a_study() {
                return Err(Error::Usage(format!("task {}: {error}", run.task.name)));
            }
            for source in corpus.train.iter().chain(&corpus.dev) {
                let (path, hash) = source.fingerprint()?;
                data.insert(path, hash.into());
            }
        }
    }
    let versions = json!({
        "format": FORMAT,
        "cwgnc_version": env!("CARGO_PKG_VERSION"),
        PORTABLE: gemm::is_portable(),
        "model_files": models,
        "data_files": data,
    });
    Ok(versions.as_object().cloned().unwrap_or_default())
}

/// The hashes of the files in a model's folder that a run may read.
fn model_files(dir: &Path) -> Result<Map<String, Value>, Error> {
    let is_read = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kinds = [".json", ".safetensors", ".txt"];
        path.is_file() && !name.starts_with('.') && kinds.iter().any(|kind| name.ends_with(kind))
    };
    // An unreadable folder is an error of its `config.json`.
    checkpoint::read_config(dir)?;
    let paths = match embedded::names(dir) {
        Some(names) => names.iter().map(|name| dir.join(name)).collect(),
        None => output::entries(dir)?
            .into_iter()
            .filter(is_read)
            .collect::<Vec<_>>(),
    };
    let mut files = Map::new();
    for path in paths {
        let hash = checkpoint::fnv1a64(&checkpoint::read(&path)?);
        files.insert(path.display().to_string(), hash.into());
    }
    Ok(files)
}

/// `study.json` with its tables flattened, to be compared entry by entry.
fn flat(versions: &Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in versions {
        match value {
            Value::Object(table) => flat.extend(table.clone()),
            value => {
                flat.insert(key.clone(), value.clone());
            }
        }
    }
    flat
}
