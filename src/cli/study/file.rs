//! Study files: TOML with the settings of a study, read strictly and written back.

use super::flags::Flags;
use crate::checkpoint;
use crate::cli::Error;
use crate::clip::nearest;
use crate::study::{Part, Settings, Study, folder_name, parse_seeds};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

/// What a study file says. Every name in it has been checked.
#[derive(Debug, Default)]
pub(super) struct StudyFile {
    pub(super) preset: Option<String>,
    pub(super) seeds: Option<Vec<u64>>,
    /// The conditions to run, by name or as clipping policies.
    pub(super) conditions: Option<Vec<String>>,
    pub(super) common: Settings,
    pub(super) tasks: Vec<Part>,
    /// The conditions that are described, those of `[factors]` included.
    pub(super) described: Vec<Part>,
}

/// The names at the top of a file.
const KEYS: [&str; 7] = [
    "preset",
    "seeds",
    "conditions",
    "common",
    "task",
    "condition",
    "factors",
];

/// A text with its name, for messages that say the place.
struct Reader<'a> {
    place: &'a str,
    text: &'a str,
    flags: &'a Flags,
}

/// Reads the text of a study file; `place` is what messages call it.
pub(super) fn read(place: &str, text: &str, flags: &Flags) -> Result<StudyFile, Error> {
    let reader = Reader { place, text, flags };
    let root = reader.root()?;
    let mut file = StudyFile::default();
    for (key, value) in &root {
        match key.as_str() {
            "preset" => file.preset = Some(reader.string("", key, value)?),
            "seeds" => file.seeds = Some(reader.seeds(value)?),
            "conditions" => file.conditions = Some(reader.list("", key, value)?),
            "common" => file.common = reader.settings("common", value)?,
            "task" => file.tasks = reader.parts("task", value)?,
            "condition" => file.described.extend(reader.parts("condition", value)?),
            "factors" => file.described.extend(reader.factors(value)?),
            _ => {
                let near = nearest(key, KEYS);
                let problem = format!("unknown key `{key}`; nearest: {}", near.join(", "));
                return Err(reader.wrong("", key, &problem));
            }
        }
    }
    Ok(file)
}

/// The settings of one run in a file, flags of `cwgnc finetune` as `name = value`, as words of a command line, without those
/// that are `given` there.
pub(in crate::cli) fn read_run(path: &Path, given: &[OsString]) -> Result<Vec<String>, Error> {
    let (place, flags) = (path.display().to_string(), Flags::of_one_run());
    let text = String::from_utf8(checkpoint::read(path)?)
        .map_err(|_| Error::Usage(format!("{place}: not UTF-8, as TOML must be")))?;
    let reader = Reader {
        place: &place,
        text: &text,
        flags: &flags,
    };
    let settings = reader.settings("", &Value::Object(reader.root()?))?;
    let given = given.iter().filter_map(|word| word.to_str()?.strip_prefix("--"));
    let name = |word: &str| flags.name(word.split('=').next().unwrap_or_default()).ok();
    let given: BTreeSet<String> = given.filter_map(name).collect();
    let mut kept = Settings::default();
    for (name, value) in settings.iter().filter(|(name, _)| !given.contains(*name)) {
        kept.set(name, value);
    }
    Ok(flags.words(&kept))
}

/// Brackets in one another, and dots in a key. The parser calls itself for each, and far more of them end its stack.
const MOST_BRACKETS: usize = 64;
const MOST_DOTS: usize = 256;

/// The line, from 1, where brackets or keys are too deep. Strings and comments are not told from the rest: none has so many.
fn too_deep(text: &str) -> Option<usize> {
    let (mut line, mut open, mut dots) = (1, 0_usize, 0);
    for c in text.chars() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            '.' => dots += 1,
            '\n' => line += 1,
            _ => {}
        }
        if matches!(c, '[' | ']' | '{' | '}' | '\n' | ',' | '=') {
            dots = 0;
        }
        if open > MOST_BRACKETS || dots > MOST_DOTS {
            return Some(line);
        }
    }
    None
}

impl Reader<'_> {
    /// The file as TOML.
    fn root(&self) -> Result<Map<String, Value>, Error> {
        let place = self.place;
        if let Some(line) = too_deep(self.text) {
            return Err(Error::Usage(format!(
                "{place} line {line}: more than {MOST_BRACKETS} brackets in one another, or a key of more than \
                 {MOST_DOTS} parts; three are enough"
            )));
        }
        basic_toml::from_str(self.text).map_err(|error| Error::Usage(format!("{place}: {error}")))
    }

    /// An error that says where: `study.toml line 7, [common] learning-rte: unknown …`.
    fn wrong(&self, section: &str, key: &str, problem: &str) -> Error {
        let line = line_of(self.text, section, key).map_or(String::new(), |line| format!(" line {line}"));
        let section = if section.is_empty() {
            String::new()
        } else {
            format!(" [{section}]")
        };
        Error::Usage(format!("{}{line}{section}: {problem}", self.place))
    }

    fn string(&self, section: &str, key: &str, value: &Value) -> Result<String, Error> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(switch) => Ok(switch.to_string()),
            _ => Err(self.wrong(section, key, &format!("`{key}` must be a text or a number"))),
        }
    }

    fn list(&self, section: &str, key: &str, value: &Value) -> Result<Vec<String>, Error> {
        let Value::Array(items) = value else {
            return Err(self.wrong(
                section,
                key,
                &format!("`{key}` must be a list, as in [\"a\", \"b\"]"),
            ));
        };
        items.iter().map(|item| self.string(section, key, item)).collect()
    }

    fn seeds(&self, value: &Value) -> Result<Vec<u64>, Error> {
        if let Value::Array(items) = value {
            let seeds: Option<Vec<u64>> = items.iter().map(Value::as_u64).collect();
            return seeds
                .ok_or_else(|| self.wrong("", "seeds", "`seeds` must be whole numbers of at least 0"));
        }
        let text = self.string("", "seeds", value)?;
        parse_seeds(&text).map_err(|error| self.wrong("", "seeds", &error.to_string()))
    }

    fn table<'v>(&self, section: &str, value: &'v Value) -> Result<&'v Map<String, Value>, Error> {
        let name = section.split('.').next().unwrap_or_default();
        value.as_object().ok_or_else(|| {
            self.wrong(
                "",
                name,
                &format!("`{section}` must be a table, as in [{section}]"),
            )
        })
    }

    fn settings(&self, section: &str, value: &Value) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for (key, value) in self.table(section, value)? {
            let wrong = |problem: String| self.wrong(section, key, &problem);
            let name = self.flags.name(key).map_err(wrong)?;
            let value = self.string(section, key, value)?;
            self.flags.check(&name, &value).map_err(wrong)?;
            if settings.get(&name).is_some() {
                return Err(wrong(format!("`{name}` is set twice, once as `{key}`")));
            }
            settings.set(&name, value);
        }
        Ok(settings)
    }

    fn parts(&self, kind: &str, value: &Value) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        for (key, value) in self.table(kind, value)? {
            let section = format!("{kind}.{key}");
            let name = folder_name(key);
            if name.is_empty() {
                return Err(self.wrong(&section, "", &format!("`{key}` has no letter and no digit")));
            }
            let settings = self.settings(&section, value)?;
            parts.push(Part { name, settings });
        }
        Ok(parts)
    }

    /// Every combination of the factors' values, each a condition that is named after them.
    fn factors(&self, value: &Value) -> Result<Vec<Part>, Error> {
        let mut parts = vec![Part {
            name: String::new(),
            settings: Settings::default(),
        }];
        for (key, values) in self.table("factors", value)? {
            let wrong = |problem: String| self.wrong("factors", key, &problem);
            let name = self.flags.name(key).map_err(wrong)?;
            let values = self.list("factors", key, values)?;
            let mut next = Vec::new();
            for part in &parts {
                for value in &values {
                    self.flags.check(&name, value).map_err(wrong)?;
                    let plus = if part.name.is_empty() { "" } else { "+" };
                    let mut settings = part.settings.clone();
                    settings.set(&name, value.as_str());
                    let name = format!("{}{plus}{name}-{}", part.name, folder_name(value));
                    next.push(Part { name, settings });
                }
            }
            parts = next;
        }
        parts.retain(|part| !part.name.is_empty());
        Ok(parts)
    }
}

/// The line, from 1, on which a section sets a key; without a key, on which it begins.
fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let plain = |text: &str| {
        text.chars()
            .filter(|c| !matches!(c, '"' | '\'' | ' ' | '\t'))
            .collect::<String>()
    };
    let wanted = plain(section);
    let mut current = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            current = plain(header.split(']').next().unwrap_or_default());
            if current == wanted && key.is_empty() {
                return Some(number + 1);
            }
            // `[comon]` is a key of the top as well.
            if wanted.is_empty() && current.split('.').next() == Some(key) {
                return Some(number + 1);
            }
        } else if current == wanted && line.split_once('=').is_some_and(|(name, _)| plain(name) == key) {
            return Some(number + 1);
        }
    }
    None
}

/// The text of a study with nothing left to be looked up.
pub(super) fn write(study: &Study) -> Result<String, Error> {
    let table = |settings: &Settings| {
        let pairs = settings
            .iter()
            .map(|(name, value)| (name.to_owned(), value.into()));
        Value::Object(pairs.collect())
    };
    let tables = |parts: &[Part]| {
        let pairs = parts
            .iter()
            .map(|part| (part.name.clone(), table(&part.settings)));
        Value::Object(pairs.collect())
    };
    let mut root = Map::new();
    // A number of TOML has 63 bits; a list as a text has no such end.
    let seeds = if study.seeds.iter().all(|&seed| i64::try_from(seed).is_ok()) {
        study.seeds.clone().into()
    } else {
        let each = study.seeds.iter().map(|seed| format!("{seed},"));
        Value::String(each.collect())
    };
    root.insert("seeds".to_owned(), seeds);
    root.insert("common".to_owned(), table(&study.common));
    root.insert("task".to_owned(), tables(&study.tasks));
    root.insert("condition".to_owned(), tables(&study.conditions));
    let text = basic_toml::to_string(&Value::Object(root));
    text.map_err(|error| Error::Usage(format!("the study cannot be written as TOML: {error}")))
}

/// Reads what [`write`] wrote.
pub(super) fn read_resolved(place: &str, text: &str, flags: &Flags) -> Result<Study, Error> {
    let file = read(place, text, flags)?;
    Ok(Study {
        common: file.common,
        tasks: file.tasks,
        conditions: file.described,
        seeds: file.seeds.unwrap_or_default(),
    })
}
