//! `cwgnc study merge`: the folders of shards become the folder of the whole study.

use super::args::Merge;
use super::flags::Flags;
use super::folder::{Folder, make, read_study, unsealed};
use super::journal::{Entries, Journal};
use super::versions::{PORTABLE, check_version, read_versions, version_differences};
use crate::checkpoint;
use crate::cli::progress::say;
use crate::cli::report::{self, args::Report};
use crate::cli::{Error, checksums, output};
use serde_json::Value;
use std::path::Path;

/// Runs the command.
pub(super) fn command(args: &Merge) -> Result<(), Error> {
    let flags = Flags::new();
    let first = &args.folders[0];
    no_output(args)?;
    checksums::is_sealed(first)?;
    let (study, mut versions) = (read_study(first, &flags)?, read_versions(first)?);
    check_version(first, &versions)?;
    let mut merged = Entries::default();
    let mut places = Vec::new();
    for path in &args.folders {
        if !checksums::is_sealed(path)? && !args.quiet {
            say(&format!("warning: {}", unsealed(path)));
        }
        let mut changed = study.differences(&read_study(path, &flags)?);
        let of_shard = read_versions(path)?;
        changed.extend(version_differences(&versions, &of_shard, args.mixed_machines));
        if !changed.is_empty() {
            let (path, first, list) = (path.display(), first.display(), changed.join("\n  "));
            return Err(Error::Usage(format!(
                "{path} is not of the study of {first}:\n  {list}"
            )));
        }
        if of_shard.get(PORTABLE) != Some(&Value::Bool(true)) {
            versions.insert(PORTABLE.to_owned(), false.into());
        }
        let entries = Journal::new(path).entries_of(&study)?;
        entries.check_logs(path)?;
        places.extend(take(&mut merged, entries, path)?.into_iter().map(|id| (id, path)));
    }
    let folder = Folder::open_merged(&args.output, study, &merged, |folder| {
        for (id, place) in &places {
            copy(&place.join("runs").join(id), &folder.run(id))?;
        }
        for run in folder.study.runs() {
            let id = run.id();
            if let Some(record) = merged.records.get(&id) {
                let log = merged.logs.get(&id).map(String::as_str);
                folder.journal.append(record, merged.seconds[&id], log)?;
            }
        }
        folder.write_results(&merged)?;
        Ok(versions)
    })?;
    let (done, all) = (merged.records.len(), folder.study.runs().len());
    if !args.quiet && done < all {
        let output = args.output.display();
        say(&format!(
            "{done} of {all} runs; `cwgnc study --resume --output {output}` does the rest"
        ));
    }
    let reported = report::command(&Report::of(&folder.path, args.json, args.quiet));
    // After the report, for a merge that is killed in it is repeated; a report that fails is no reason to repeat one.
    folder.end_merge()?;
    reported
}

/// Refuses an output that is one of the folders to be merged.
fn no_output(args: &Merge) -> Result<(), Error> {
    let mut folders = args.folders.iter();
    let Some(folder) = folders.find(|folder| output::is_same(folder, &args.output)) else {
        return Ok(());
    };
    let folder = folder.display();
    Err(Error::Usage(format!(
        "{folder} is merged, and cannot be --output too"
    )))
}

/// Adds the entries of a folder to those of the folders before it, and gives the runs that are new.
fn take(merged: &mut Entries, entries: Entries, folder: &Path) -> Result<Vec<String>, Error> {
    let mut new = Vec::new();
    for (id, record) in entries.records {
        match merged.records.get(&id) {
            Some(known) if *known != record => {
                let folder = folder.display();
                return Err(Error::Study(format!(
                    "run {id} has other results in {folder} than before"
                )));
            }
            Some(_) => {}
            None => {
                merged.seconds.insert(id.clone(), entries.seconds[&id]);
                let log = entries.logs.get(&id);
                merged.logs.extend(log.map(|hash| (id.clone(), hash.clone())));
                merged.records.insert(id.clone(), record);
                new.push(id);
            }
        }
    }
    Ok(new)
}

/// Copies a folder with everything in it; each file is there whole or not at all.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    make(to)?;
    for path in output::entries(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_symlink() {
            return Err(Error::Study(format!(
                "{}: a symbolic link; merge copies what lies in a study's folder itself",
                path.display()
            )));
        }
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            let bytes = checkpoint::read(&path)?;
            checkpoint::write_atomic(&target, |out| out.write_all(&bytes))?;
        }
    }
    Ok(())
}
