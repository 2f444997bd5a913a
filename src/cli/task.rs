//! What `--task` names: a task of GLUE in a folder, or a built-in one.

use super::Error;
use crate::builtin::{BUILTINS, Builtin, Choice, PREFIX};
use crate::data::{Task, nearest_of};
use std::path::Path;

/// A task and where its data are.
#[derive(Debug)]
pub(super) enum Chosen<'a> {
    /// Its files are in this folder.
    Glue(&'static Task, &'a Path),
    /// It is made when it is asked for.
    Builtin(Choice),
}

impl<'a> Chosen<'a> {
    /// What the two flags mean together.
    pub(super) fn parse(task: &str, data: Option<&'a Path>) -> Result<Self, Error> {
        match (builtin(task)?, data) {
            (Some(choice), None) => Ok(Self::Builtin(choice)),
            (Some(choice), Some(_)) => Err(Error::Usage(format!(
                "--data cannot be used with --task {choice}: a built-in task reads no files"
            ))),
            (None, Some(dir)) => Ok(Self::Glue(glue(task)?, dir)),
            (None, None) => {
                let key = glue(task)?.key;
                Err(Error::Usage(format!(
                    "task {key} has no data: give --data, the folder with its files; tasks that need none: {}",
                    known()
                )))
            }
        }
    }
}

/// The built-in task of this name, or `None` if the name is not that of one.
pub(super) fn builtin(task: &str) -> Result<Option<Choice>, Error> {
    if !task.starts_with(PREFIX) {
        return Ok(None);
    }
    let choice = task.parse::<Choice>();
    choice.map(Some).map_err(|error| Error::Usage(error.to_string()))
}

/// The task of GLUE; a built-in one without its prefix is pointed out.
pub(super) fn glue(task: &str) -> Result<&'static Task, Error> {
    Task::parse(task).map_err(|error| {
        let name = task.split('@').next().unwrap_or_default();
        match nearest_of(name, BUILTINS.map(Builtin::name)) {
            Some(near) => Error::Usage(format!(
                "unknown task `{task}`; did you mean `{PREFIX}{near}`? A built-in task is named with `{PREFIX}`"
            )),
            None => error.into(),
        }
    })
}

/// The names of the built-in tasks.
pub(super) fn known() -> String {
    BUILTINS.map(|task| format!("{PREFIX}{}", task.name())).join(", ")
}
