//! The program: parse, run, and print one error chain.

use std::process::ExitCode;

fn main() -> ExitCode {
    nearmiss::cli::main()
}
