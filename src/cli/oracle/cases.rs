//! `cwgnc cases`: a pack as files.

use super::super::{Error, print};
use super::args::Cases;
use crate::cases::file::{self, EXTENSION, case_bytes};

/// Runs the command.
pub(in crate::cli) fn command(args: &Cases) -> Result<u8, Error> {
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
    let cases = args.pack.cases(args.seed);
    let mut size = 0;
    for named in &cases {
        let bytes = case_bytes(named, None);
        size += bytes.len();
        file::write(&args.output.join(format!("{}.{EXTENSION}", named.name)), &bytes)?;
    }
    print(&format!(
        "{} cases of pack {}, seed {}, {} KiB, in {}",
        cases.len(),
        args.pack,
        args.seed,
        size.div_ceil(1024),
        args.output.display()
    ))?;
    Ok(0)
}
