//! `cwgnc expect`: what must come out, as a file.

use super::super::{Error, print};
use super::args::Expect;
use super::input::{about, case, is_safetensors, plain_case};
use crate::cases::file::{self, case_bytes};
use crate::oracle::expect;

/// Runs the command.
pub(in crate::cli) fn command(args: &Expect) -> Result<u8, Error> {
    is_safetensors(&args.output)?;
    let (path, named) = match (&args.case, args.question.before.first()) {
        (Some(path), _) => (path, case(path, args.question.declared, args.question.limits)?),
        (None, Some(path)) => (path, plain_case(&args.question)?),
        (None, None) => return Err(Error::Usage("a case file or --before is missing".to_owned())),
    };
    let expectation = expect(&named.case).map_err(|error| about(path, &error))?;
    file::write(&args.output, &case_bytes(&named, Some(&expectation)))?;
    let refuses = if expectation.refuses {
        "; the clipper must refuse and leave every gradient as it is"
    } else {
        ""
    };
    print(&format!(
        "{} components, expected gradients in {}{refuses}",
        expectation.components.len(),
        args.output.display()
    ))?;
    Ok(0)
}
