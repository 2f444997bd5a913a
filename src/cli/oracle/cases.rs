//! `cwgnc cases`: cases as files, of a pack or for one's own policy.

use super::super::{Error, print};
use super::args::{Cases, Choice};
use crate::cases::file::{self, EXTENSION, case_bytes};
use crate::cases::{Class, NamedCase, Pack, Wanted};

/// Runs the command.
pub(in crate::cli) fn command(args: &Cases) -> Result<u8, Error> {
    let cases = chosen(&args.choice, "--pack or --policy")?;
    let folder = |source| Error::Folder {
        path: args.output.clone(),
        source,
    };
    std::fs::create_dir_all(&args.output).map_err(folder)?;
    if std::fs::read_dir(&args.output).map_err(folder)?.next().is_some() {
        return Err(Error::Usage(format!(
            "the folder {} is not empty; cases of two packs or seeds must not mix",
            args.output.display()
        )));
    }
    let (mut count, mut size) = (0, 0);
    for named in cases {
        let bytes = case_bytes(&named, None);
        count += 1;
        size += bytes.len();
        file::write(&args.output.join(format!("{}.{EXTENSION}", named.name)), &bytes)?;
    }
    let what = match (&args.choice.pack, &args.choice.policy) {
        (_, Some(policy)) => format!("for {policy}"),
        (Some(pack), None) => format!("of pack {pack}"),
        (None, None) => String::new(),
    };
    print(&format!(
        "{count} cases {what}, seed {}, {} KiB, in {}",
        args.choice.seed,
        size.div_ceil(1024),
        args.output.display()
    ))?;
    Ok(0)
}

/// The cases that were chosen, one by one; `how` says how to choose if nothing is.
pub(super) fn chosen(choice: &Choice, how: &str) -> Result<Box<dyn Iterator<Item = NamedCase>>, Error> {
    let declared = choice.declared;
    match (choice.pack, &choice.policy) {
        (_, Some(policy)) => {
            let wanted = Wanted {
                formats: choice.dtype.clone(),
                count: choice.count,
                seed: choice.seed,
                without: choice.without.clone(),
                largest: choice.largest,
                declared: declared.unwrap_or_default(),
            };
            let cases = Pack::cases_for(policy, &wanted);
            Ok(Box::new(cases.map_err(|error| {
                Error::Usage(format!("--policy {policy}: {error}"))
            })?))
        }
        (Some(pack), None) => {
            let left_out: Vec<&str> = choice.without.iter().map(|class| Class::name(*class)).collect();
            let mut cases = pack.cases(choice.seed);
            cases.retain(|named| !left_out.contains(&named.class.as_str()));
            if cases.is_empty() {
                return Err(Error::Usage(format!("pack {pack}: --without leaves no case")));
            }
            for named in &mut cases {
                named.case.declared = declared.unwrap_or(named.case.declared);
            }
            Ok(Box::new(cases.into_iter()))
        }
        (None, None) => Err(Error::Usage(format!("which cases? give {how}"))),
    }
}
