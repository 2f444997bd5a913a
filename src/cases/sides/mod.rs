//! The tensors of one side (before clipping, after it, parameters), however many files they lie in.
//!
//! Tensors of distinct names are put together. A name that stands in several files needs a [`Placement`]; without one
//! it is an error that says which files. Prefixes are taken off names first, so that patterns of placements and of
//! policies mean the names that are left. `docs/oracle.md`, "Files", is the contract.

mod folder;
mod placement;

pub(crate) use folder::files;
pub use placement::{Place, Placement};

use super::file::{FileError, read_plain};
use crate::oracle::Tensor;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Which tensors are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The gradients before clipping.
    Before,
    /// The gradients after clipping: what is judged.
    After,
    /// Parameters and moments.
    Beside,
}

/// What was read of one side.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The tensors, in the order of the files.
    pub tensors: Vec<Tensor>,
    /// Replicas after clipping whose bits differ, one sentence a tensor. Elsewhere they are errors.
    pub differences: Vec<String>,
    /// What was put together, in words: `2 tensors of 4 shards (*.weight=shard:0)`.
    pub notes: Vec<String>,
}

/// How the files of all sides are to be read; it remembers what has been of use.
#[derive(Clone, Debug)]
pub struct Sides {
    prefixes: Vec<(String, bool)>,
    placements: Vec<(Placement, bool)>,
    after: Vec<(Placement, bool)>,
}

/// A tensor and what errors call the file that it is in.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    file: &'a str,
    tensor: &'a Tensor,
}

impl Sides {
    /// Prefixes to take off names, in this order; placements of tensors; placements that go before those where gradients
    /// after clipping are read.
    pub fn new(prefixes: &[String], placements: &[Placement], after: &[Placement]) -> Self {
        let unused = |list: &[Placement]| list.iter().map(|one| (one.clone(), false)).collect();
        Self {
            prefixes: prefixes.iter().map(|prefix| (prefix.clone(), false)).collect(),
            placements: unused(placements),
            after: unused(after),
        }
    }

    /// Reads one side from files and folders.
    ///
    /// # Errors
    /// If a file cannot be read; if a name stands in several files and nothing says what it is, or what is said cannot
    /// be; if taking off a prefix makes two names one.
    pub fn read(&mut self, paths: &[PathBuf], side: Side) -> Result<Gathered, FileError> {
        let files = files(paths)?;
        let several = files.paths.len() > 1;
        let mut read = Vec::with_capacity(files.paths.len());
        for path in &files.paths {
            let mut tensors = read_plain(path)?;
            let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
            files.check(path, &names)?;
            self.strip(&mut tensors)
                .map_err(|problem| FileError::one(path, problem))?;
            read.push((path.display().to_string(), tensors));
        }
        let Some(first) = files.paths.first().filter(|_| several) else {
            let tensors = read.pop().map(|(_, tensors)| tensors).unwrap_or_default();
            for tensor in &tensors {
                self.place(&tensor.name, side);
            }
            return Ok(Gathered {
                tensors,
                ..Gathered::default()
            });
        };
        self.put_together(read, side, files.ordered)
            .map_err(|problem| FileError::one(&beginning(paths, first), problem))
    }

    /// What was given and has been of no use once all sides are read: a prefix or a pattern that fits no name.
    pub fn unused(&self) -> Option<String> {
        let prefix = self.prefixes.iter().find(|(_, used)| !used);
        let placement = |(one, _): &(Placement, bool)| format!("the placement `{one}` fits no tensor");
        prefix
            .map(|(prefix, _)| format!("no name begins with the prefix `{prefix}`"))
            .or_else(|| {
                self.placements
                    .iter()
                    .chain(&self.after)
                    .find(|(_, used)| !used)
                    .map(placement)
            })
    }

    /// Takes the prefixes off a name, each once.
    pub fn stripped(&mut self, name: &str) -> String {
        let mut name = name;
        for (prefix, used) in &mut self.prefixes {
            if let Some(rest) = name.strip_prefix(prefix.as_str()) {
                (name, *used) = (rest, true);
            }
        }
        name.to_owned()
    }

    fn strip(&mut self, tensors: &mut [Tensor]) -> Result<(), String> {
        if self.prefixes.is_empty() {
            return Ok(());
        }
        let mut sources: HashMap<String, String> = HashMap::new();
        for tensor in tensors {
            let short = self.stripped(&tensor.name);
            if short.is_empty() {
                return Err(format!(
                    "nothing is left of the name `{}` without its prefix",
                    tensor.name
                ));
            }
            let long = std::mem::replace(&mut tensor.name, short.clone());
            if let Some(other) = sources.insert(short.clone(), long.clone()) {
                return Err(format!(
                    "without its prefix `{long}` is `{short}`, and so is `{other}`"
                ));
            }
        }
        Ok(())
    }

    /// The first placement that fits, and where it stands among those of this side.
    fn place(&mut self, name: &str, side: Side) -> Option<(usize, Place)> {
        let after = self.after.iter_mut().filter(|_| side == Side::After);
        let mut all = after.chain(&mut self.placements).enumerate();
        let (at, (placement, used)) = all.find(|(_, (one, _))| one.pattern.fits(name))?;
        *used = true;
        Some((at, placement.place))
    }

    fn named(&self, at: usize, side: Side) -> String {
        let after = self.after.iter().filter(|_| side == Side::After);
        after
            .chain(&self.placements)
            .nth(at)
            .map_or(String::new(), |(one, _)| one.to_string())
    }

    fn put_together(
        &mut self,
        read: Vec<(String, Vec<Tensor>)>,
        side: Side,
        ordered: bool,
    ) -> Result<Gathered, String> {
        let (names, parts) = by_name(&read);
        let mut gathered = Gathered::default();
        // What was made of several parts, by name; all others are moved out of their files in the end.
        let mut made: HashMap<String, Tensor> = HashMap::new();
        // Of each placement, the first name and how many tensors it fits.
        let mut found: Vec<(usize, &str, usize)> = Vec::new();
        let mut undeclared = Vec::new();
        for name in names {
            let own = &parts[name];
            let placed = self.place(name, side);
            if let Some((at, _)) = placed {
                match found.iter_mut().find(|(other, ..)| *other == at) {
                    Some((_, first, count)) => {
                        even(&self.named(at, side), &parts[first], own, &read)?;
                        *count += 1;
                    }
                    None => found.push((at, name, 1)),
                }
            }
            let about = |problem: String| format!("`{name}`: {problem}");
            match placed {
                _ if own.len() == 1 => {}
                None => undeclared.push((name, own)),
                Some((at, place)) => {
                    allowed(place, side, ordered)
                        .map_err(|why| about(format!("`{}`: {why}", self.named(at, side))))?;
                    let whole = placement::whole(place, own).map_err(about)?;
                    made.insert(name.to_owned(), whole.tensor);
                    match whole.difference {
                        Some(difference) if side != Side::After => return Err(difference),
                        difference => gathered.differences.extend(difference),
                    }
                }
            }
        }
        if let Some((name, parts)) = undeclared.first() {
            return Err(several(name, parts, undeclared.len() - 1));
        }
        for (at, first, count) in found {
            let parts = parts[first].len();
            let noun = if count == 1 { "tensor" } else { "tensors" };
            let files = if parts == 1 {
                "one file".to_owned()
            } else {
                format!("{parts} files")
            };
            let placement = self.named(at, side);
            let note = format!("`{placement}`: {count} {noun}, each from {files}");
            gathered.notes.push(note);
        }
        gathered.tensors = assembled(read, made);
        Ok(gathered)
    }
}

/// The tensors in the order of their first parts: those that were made of several, and the others moved out of their files.
fn assembled(read: Vec<(String, Vec<Tensor>)>, mut made: HashMap<String, Tensor>) -> Vec<Tensor> {
    let several: HashSet<String> = made.keys().cloned().collect();
    let all = read.into_iter().flat_map(|(_, tensors)| tensors);
    all.filter_map(|tensor| match made.remove(&tensor.name) {
        None if several.contains(&tensor.name) => None,
        whole => Some(whole.unwrap_or(tensor)),
    })
    .collect()
}

/// The names in the order of the files, and the parts of each.
fn by_name(read: &[(String, Vec<Tensor>)]) -> (Vec<&str>, HashMap<&str, Vec<Part<'_>>>) {
    let mut names: Vec<&str> = Vec::new();
    let mut parts: HashMap<&str, Vec<Part<'_>>> = HashMap::new();
    for (file, tensors) in read {
        for tensor in tensors {
            let of_name = parts.entry(&tensor.name).or_default();
            if of_name.is_empty() {
                names.push(&tensor.name);
            }
            of_name.push(Part { file, tensor });
        }
    }
    (names, parts)
}

/// The tensors of one placement have as many parts each: a rank that lacks one is more often an oversight than not.
fn even(
    placement: &str,
    first: &[Part<'_>],
    other: &[Part<'_>],
    read: &[(String, Vec<Tensor>)],
) -> Result<(), String> {
    if first.len() == other.len() {
        return Ok(());
    }
    let (most, least) = if first.len() > other.len() {
        (first, other)
    } else {
        (other, first)
    };
    let lacking = read
        .iter()
        .find(|(file, _)| least.iter().all(|part| part.file != file));
    Err(format!(
        "`{placement}`: `{}` stands in {} files and `{}` in {}{}; if that is right, give the one a placement of its own",
        most[0].tensor.name,
        most.len(),
        least[0].tensor.name,
        least.len(),
        lacking.map_or(String::new(), |(file, _)| format!(", not in {file}"))
    ))
}

/// Whether this can be said of this side's tensors.
fn allowed(place: Place, side: Side, ordered: bool) -> Result<(), String> {
    match (place, side) {
        (Place::Partial, Side::After) => Err("terms of a sum are gradients before clipping; say with --placement-after \
                                              what the tensors are after it: replicated or shard:AXIS"
            .to_owned()),
        (Place::Partial, Side::Beside) => {
            Err("parameters and moments are no terms of a sum; give the file of one rank".to_owned())
        }
        (Place::Shard(_), _) if !ordered => Err("the order of the shards is not known from the names of the files \
                                                 (rank0, rank1, …, or 00001-of-00003); give the files in their order"
            .to_owned()),
        _ => Ok(()),
    }
}

fn several(name: &str, parts: &[Part<'_>], more: usize) -> String {
    let others = match more {
        0 => String::new(),
        1 => " (and so does 1 name more)".to_owned(),
        n => format!(" (and so do {n} names more)"),
    };
    let ways = ["replicated", "shard:AXIS", "partial"].map(|way| format!("--placement '{name}={way}'"));
    format!(
        "`{name}` stands in {} and {}{others}; say what it is: {}",
        parts[0].file,
        parts[1].file,
        ways.join(", ")
    )
}

/// What errors call all of these files.
fn beginning(paths: &[PathBuf], first: &Path) -> PathBuf {
    match paths {
        [only] => only.clone(),
        _ => first.to_owned(),
    }
}
