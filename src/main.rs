//! The command `cwgnc`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    cwgnc::cli::main()
}
