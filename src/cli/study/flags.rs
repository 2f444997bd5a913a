//! The flags of `cwgnc finetune` as the settings of a run: their names, and the arguments that they make.

use crate::checkpoint;
use crate::cli::args::Finetune;
use crate::clip::nearest;
use crate::model::{ModelConfig, SequenceClassifier};
use crate::param::ParamTree;
use crate::study::Settings;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Args, Command, FromArgMatches};
use std::path::Path;

/// In a threshold, the number that lets all N components together have the budget of a global threshold of 1.
const EQUAL_BUDGET: &str = "1/sqrt(N)";

/// Flags that the study itself sets.
const OF_THE_STUDY: &[&str] = &[
    "output",
    "overwrite",
    "resume",
    "json",
    "quiet",
    "seed",
    "threads",
    "help",
    "config",
];

/// Flags that say what a file of one run's settings is read for.
const OF_THE_COMMAND: &[&str] = &["overwrite", "resume", "help", "config"];

/// What `cwgnc finetune` takes.
pub(super) struct Flags {
    command: Command,
    /// Flags that are no settings, and what sets them.
    reserved: (&'static [&'static str], &'static str),
}

impl Flags {
    /// Those of a study's runs.
    pub(super) fn new() -> Self {
        Self::without((OF_THE_STUDY, "the study"))
    }

    /// Those of one run.
    pub(super) fn of_one_run() -> Self {
        Self::without((OF_THE_COMMAND, "the command line"))
    }

    fn without(reserved: (&'static [&'static str], &'static str)) -> Self {
        let command = Command::new("finetune")
            .no_binary_name(true)
            .disable_help_flag(true);
        Self {
            command: Finetune::augment_args(command),
            reserved,
        }
    }

    /// The long name of a flag that is known by this name, without its hyphens.
    pub(super) fn name(&self, key: &str) -> Result<String, String> {
        let wanted = &*key.replace('_', "-");
        let args = || {
            self.command
                .get_arguments()
                .filter(|arg| arg.get_long().is_some())
        };
        let (reserved, by) = self.reserved;
        let found = args().find(|arg| names(arg).any(|name| name == wanted));
        let Some(name) = found.and_then(Arg::get_long) else {
            let known = args().flat_map(names).filter(|name| !reserved.contains(name));
            let near = nearest(wanted, known);
            return Err(format!("unknown setting `{key}`; nearest: {}", near.join(", ")));
        };
        if reserved.contains(&name) {
            return Err(format!("`{name}` is set by {by}, not by its settings"));
        }
        Ok(name.to_owned())
    }

    /// Checks one value by itself.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let mut settings = Settings::default();
        settings.set("model", "model");
        settings.set(name, with_components(value, || Ok(1))?);
        match self.matches(&settings) {
            Err(error) if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) => {
                Err(text(&error))
            }
            _ if self.is_switch(name) && !matches!(value, "true" | "false") => {
                Err(format!("`{name}` is true or false, not `{value}`"))
            }
            _ => Ok(()),
        }
    }

    /// The arguments of a run.
    pub(super) fn parse(&self, settings: &Settings) -> Result<Finetune, String> {
        let mut settings = settings.clone();
        if let Some(clip) = settings.get("clip") {
            let model = settings.get("model").unwrap_or_default();
            let clip = with_components(clip, || components(Path::new(model)))?;
            settings.set("clip", clip);
        }
        let matches = self.matches(&settings).map_err(|error| text(&error))?;
        let args = Finetune::from_arg_matches(&matches).map_err(|error| text(&error))?;
        let checked = args.check();
        checked.map_err(|error| error.to_string()).map(|()| args)
    }

    /// Settings from the words of a command line: `--learning-rate 1e-4 --load-best`.
    pub(super) fn read_words(&self, words: &[String]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (key, value) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(k, v)| (k, Some(v)));
            let key = key
                .strip_prefix("--")
                .ok_or_else(|| format!("`{word}` is no flag of cwgnc finetune"))?;
            let name = self.name(key)?;
            let value = match value {
                Some(value) => value,
                None if self.is_switch(&name) => "true",
                None => words.next().ok_or_else(|| format!("--{name} has no value"))?,
            };
            self.check(&name, value)?;
            settings.set(&name, value);
        }
        Ok(settings)
    }

    fn is_switch(&self, name: &str) -> bool {
        let arg = self
            .command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name));
        arg.is_some_and(|arg| matches!(arg.get_action(), ArgAction::SetTrue))
    }

    fn matches(&self, settings: &Settings) -> Result<clap::ArgMatches, clap::Error> {
        self.command.clone().try_get_matches_from(self.words(settings))
    }

    /// Settings as words of a command line.
    pub(super) fn words(&self, settings: &Settings) -> Vec<String> {
        let word = |(name, value): (&str, &str)| {
            if self.is_switch(name) {
                (value == "true").then(|| format!("--{name}"))
            } else {
                Some(format!("--{name}={value}"))
            }
        };
        settings.iter().filter_map(word).collect()
    }
}

fn names(arg: &Arg) -> impl Iterator<Item = &str> {
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases)
}

/// clap's message without its heading, its hints and its line breaks.
fn text(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.trim_start_matches("error: ").lines().map(str::trim);
    lines
        .take_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A clipping policy with the number in place of `1/sqrt(N)`.
fn with_components(value: &str, count: impl FnOnce() -> Result<usize, String>) -> Result<String, String> {
    if !value.contains(EQUAL_BUDGET) {
        return Ok(value.to_owned());
    }
    Ok(value.replace(EQUAL_BUDGET, &(1.0 / (count()? as f64).sqrt()).to_string()))
}

/// The number of a model's parameter tensors, its head included.
fn components(model: &Path) -> Result<usize, String> {
    let folder = checkpoint::read_config(model).map_err(|error| error.to_string())?;
    // The smallest model with as many tensors: how many there are depends on family and layers alone.
    let smallest = ModelConfig {
        vocab_size: 1,
        hidden_size: 1,
        num_attention_heads: 1,
        intermediate_size: 1,
        max_position_embeddings: 2,
        type_vocab_size: 1,
        pad_token_id: 0,
        labels: vec![String::new()],
        ..folder.config
    };
    Ok(SequenceClassifier::<f32>::zeros(&smallest).params().len())
}
