//! From flags, study file and preset to a study in which nothing is left to be looked up.

use super::args::{StudyArgs, What};
use super::file::{self, StudyFile};
use super::flags::Flags;
use crate::builtin::Choice;
use crate::checkpoint;
use crate::cli::corpus::Corpus;
use crate::cli::{Error, task};
use crate::clip::{ClipPolicy, nearest};
use crate::data::{LabelSpace, Metric, Task};
use crate::study::presets::{PRESETS, SEEDS};
use crate::study::{Part, Settings, Study, folder_name};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The study that is asked for, or `None` if none is (a study to go on with is in its folder).
pub(super) fn resolve(args: &StudyArgs, flags: &Flags) -> Result<Option<Study>, Error> {
    let What {
        config,
        preset,
        task,
        data,
        model,
        conditions,
        seeds,
        metric,
    } = &args.what;
    let nothing = config.is_none()
        && preset.is_none()
        && model.is_none()
        && seeds.is_none()
        && metric.is_none()
        && task.is_empty()
        && data.is_empty()
        && conditions.is_empty()
        && args.flags.is_empty();
    if nothing {
        return Ok(None);
    }
    let file = match config {
        Some(path) => read_config(path, flags)?,
        None => StudyFile::default(),
    };
    let preset = preset_of(preset.as_deref(), &file, flags)?;
    let mut common = Settings::default();
    // The curve over the epochs belongs to a study's result, whatever the run's own default.
    common.set("eval-strategy", "epoch");
    common = common.with(&preset.common).with(&file.common);
    if let Some(model) = model {
        common.set("model", model.display().to_string());
    }
    if let Some(metric) = metric {
        common.set(METRIC, metric.as_str());
    }
    common = common.with(&flags.read_words(&args.flags).map_err(Error::Usage)?);
    let tasks = tasks(&args.what, &file, &common)?;
    let names = match (&conditions[..], &file.conditions) {
        ([], Some(names)) => names.clone(),
        ([], None) if !file.described.is_empty() => names_of(&file.described),
        ([], None) => preset
            .conditions
            .clone()
            .unwrap_or_else(|| names_of(&preset.described)),
        (given, _) => given.iter().flat_map(|list| split(list)).collect(),
    };
    let described = [&file.described[..], &preset.described].concat();
    let mut conditions = Vec::new();
    for name in &names {
        conditions.push(condition(name, &described, flags)?);
    }
    let seeds = seeds.as_ref().map(|list| list.0.clone());
    let mut study = Study {
        common,
        tasks,
        conditions,
        seeds: seeds
            .or(file.seeds)
            .or(preset.seeds)
            .unwrap_or_else(|| SEEDS.to_vec()),
    };
    study.check().map_err(|error| Error::Usage(error.to_string()))?;
    check_settings(&study, flags)?;
    set_metrics(&mut study, flags)?;
    Ok(Some(study))
}

/// The setting that says what is compared.
const METRIC: &str = "metric-for-best-model";

/// Of files with numbers as labels a study compares Pearson's correlation, unless it is told otherwise: what a fine-tuning
/// takes by itself, the mean squared error, is better when it is less.
fn set_metrics(study: &mut Study, flags: &Flags) -> Result<(), Error> {
    let first = study.seeds[0];
    let mut names = BTreeSet::new();
    for run in study.runs().iter().filter(|run| run.seed == first) {
        let args = flags.parse(&run.settings()).map_err(Error::Usage)?;
        let is_open = args.train_file.is_some() && args.stabilise.metric_for_best_model.is_none();
        if is_open
            && !names.contains(&run.task.name)
            && Corpus::for_finetuning(&args)?.labels == LabelSpace::Values
        {
            names.insert(run.task.name.clone());
        }
    }
    for task in study.tasks.iter_mut().filter(|task| names.contains(&task.name)) {
        task.settings.set(METRIC, Metric::Pearson.key());
    }
    Ok(())
}

fn read_config(path: &Path, flags: &Flags) -> Result<StudyFile, Error> {
    let bytes = checkpoint::read(path)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Error::Usage(format!("{}: invalid UTF-8", path.display())))?;
    file::read(&path.display().to_string(), &text, flags)
}

fn preset_of(asked: Option<&str>, file: &StudyFile, flags: &Flags) -> Result<StudyFile, Error> {
    let name = match (asked, file.preset.as_deref()) {
        (Some(asked), Some(named)) if asked != named => {
            return Err(Error::Usage(format!(
                "--preset {asked} contradicts the study file, which names `{named}`"
            )));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Ok(StudyFile::default()),
    };
    let Some((_, text)) = PRESETS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = PRESETS.iter().map(|(known, _)| *known).collect();
        return Err(Error::Usage(format!(
            "unknown preset `{name}`; known: {}",
            known.join(", ")
        )));
    };
    file::read(&format!("preset {name}"), text, flags)
}

fn names_of(parts: &[Part]) -> Vec<String> {
    parts.iter().map(|part| part.name.clone()).collect()
}

/// A list with commas; the options of a policy (`global:1,norm=linf`) stay with it.
fn split(list: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for piece in list.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        match names.last_mut() {
            Some(policy) if piece.contains('=') || piece == "unchecked" => {
                policy.push(',');
                policy.push_str(piece);
            }
            _ => names.push(piece.to_owned()),
        }
    }
    names
}

/// A condition by its name in the file or in any preset, or a clipping policy by itself.
fn condition(name: &str, described: &[Part], flags: &Flags) -> Result<Part, Error> {
    let wanted = folder_name(name);
    let mut known = described.to_vec();
    for (preset, text) in PRESETS {
        known.extend(file::read(&format!("preset {preset}"), text, flags)?.described);
    }
    if let Some(part) = known.iter().find(|part| part.name == wanted) {
        return Ok(part.clone());
    }
    if let Err(problem) = flags.check("clip", name) {
        let near = nearest(name, known.iter().map(|part| part.name.as_str()));
        let policy = if name.contains(':') {
            format!(" ({problem})")
        } else {
            String::new()
        };
        return Err(Error::Usage(format!(
            "condition `{name}` is neither described nor a clipping policy{policy}; nearest: {}",
            near.join(", ")
        )));
    }
    let mut settings = Settings::default();
    // As the policy prints itself, so that two ways to write it are one condition's settings.
    let printed = name
        .parse::<ClipPolicy>()
        .map_or(name.to_owned(), |policy| policy.to_string());
    settings.set("clip", printed);
    Ok(Part {
        name: wanted,
        settings,
    })
}

/// The tasks by name, those of the study file or those that are asked for.
fn named_tasks(what: &What, file: &StudyFile) -> Result<Vec<Part>, Error> {
    let mut tasks = file.tasks.clone();
    if tasks.is_empty() {
        for name in &what.task {
            let mut settings = Settings::default();
            let name = match task::builtin(name)? {
                Some(choice) => {
                    settings.set("task", choice.to_string());
                    folder_name(&choice.to_string())
                }
                None => task::glue(name)?.key.to_owned(),
            };
            tasks.push(Part { name, settings });
        }
    } else {
        if !what.data.is_empty() {
            return Err(Error::Usage(
                "--data contradicts the study file, whose [task] tables say where the data are".to_owned(),
            ));
        }
        for name in &what.task {
            if tasks.iter().all(|part| part.name != folder_name(name)) {
                let known = names_of(&tasks).join(", ");
                return Err(Error::Usage(format!(
                    "task `{name}` is not in the study file; it has {known}"
                )));
            }
        }
        let asked: Vec<String> = what.task.iter().map(|name| folder_name(name)).collect();
        tasks.retain(|part| asked.is_empty() || asked.contains(&part.name));
    }
    Ok(tasks)
}

/// The tasks with their folders.
fn tasks(what: &What, file: &StudyFile, common: &Settings) -> Result<Vec<Part>, Error> {
    let mut tasks = named_tasks(what, file)?;
    if let (true, Some(path)) = (tasks.is_empty(), common.get("train-file")) {
        let stem = Path::new(path)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (name, settings) = (folder_name(&stem), Settings::default());
        tasks.push(Part { name, settings });
    }
    if !matches!(what.data.len(), 0 | 1) && what.data.len() != tasks.len() {
        let (folders, tasks) = (what.data.len(), tasks.len());
        return Err(Error::Usage(format!(
            "--data names {folders} folders for {tasks} tasks; give one for each task, or one with all of GLUE in it"
        )));
    }
    let (mut builtin, mut folders) = (false, false);
    for (i, part) in tasks.iter_mut().enumerate() {
        let all = common.clone().with(&part.settings);
        if all.get("train-file").is_some() {
            continue;
        }
        if let Some(choice) = builtin_of(all.get("task"), &part.name)? {
            part.settings.set("task", choice.to_string());
            builtin = true;
            continue;
        }
        folders = true;
        let task = task::glue(all.get("task").unwrap_or(&part.name))?;
        let data = what.data.get(i).or(what.data.first()).cloned();
        let Some(data) = data.or_else(|| all.get("data").map(PathBuf::from)) else {
            return Err(Error::Usage(format!(
                "task {} has no data: give --data",
                part.name
            )));
        };
        part.settings.set("task", task.key);
        part.settings
            .set("data", glue_folder(&data, task).display().to_string());
    }
    if builtin && !folders && !what.data.is_empty() {
        return Err(Error::Usage(
            "--data cannot be used with built-in tasks alone: they read no files".to_owned(),
        ));
    }
    Ok(tasks)
}

/// The built-in task that a part sets or, in `[task."builtin:NAME"]`, is named after; the name has become a folder's.
fn builtin_of(set: Option<&str>, name: &str) -> Result<Option<Choice>, Error> {
    match (set, name.strip_prefix("builtin-")) {
        (Some(set), _) => task::builtin(set),
        (None, Some(name)) => task::builtin(&format!("builtin:{}", name.replacen('-', "@", 1))),
        (None, None) => Ok(None),
    }
}

/// The folder of a task: the one given, or the one of the task's name in it.
fn glue_folder(given: &Path, task: &Task) -> PathBuf {
    if given.join(task.train_file).exists() {
        return given.to_owned();
    }
    let mut folders: Vec<PathBuf> = std::fs::read_dir(given)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    folders.sort();
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Task::parse(&name).is_ok_and(|found| found.key == task.key) && path.join(task.train_file).exists()
    };
    folders
        .into_iter()
        .find(named)
        .unwrap_or_else(|| given.to_owned())
}

/// Every task with every condition gives flags that `cwgnc finetune` accepts.
fn check_settings(study: &Study, flags: &Flags) -> Result<(), Error> {
    let first = study.seeds[0];
    for run in study.runs().iter().filter(|run| run.seed == first) {
        let (task, condition) = (&run.task.name, &run.condition.name);
        flags
            .parse(&run.settings())
            .map_err(|problem| Error::Usage(format!("task {task}, condition {condition}: {problem}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every preset is read without fault, takes conditions that are there, and no name is described twice.
    #[test]
    fn presets() {
        let flags = Flags::new();
        let mut described = BTreeMap::new();
        for (preset, text) in PRESETS {
            let file = file::read(preset, text, &flags).expect("a preset is a study file");
            for part in &file.described {
                let before = described.insert(part.name.clone(), preset);
                assert_eq!(before, None, "{} of {preset}", part.name);
            }
            let mut study = Study {
                seeds: vec![1],
                ..Study::default()
            };
            study.common.set("model", "model");
            let (name, settings) = ("rte".to_owned(), Settings::default());
            study.tasks.push(Part { name, settings });
            for name in file.conditions.unwrap_or_else(|| names_of(&file.described)) {
                let part = condition(&name, &file.described, &flags).expect("a condition");
                study.conditions.push(part);
            }
            assert_eq!(study.check(), Ok(()), "{preset}");
            check_settings(&study, &flags).expect("flags of finetune");
        }
        assert_eq!(
            described
                .values()
                .filter(|preset| **preset == "factorial")
                .count(),
            24
        );
    }

    #[test]
    fn lists_with_policies() {
        assert_eq!(split("control, component:0.05"), ["control", "component:0.05"]);
        let policy = "agc:0.01,eps=0.01,unchecked";
        assert_eq!(split(&format!("{policy},none,")), [policy, "none"]);
    }
}
