//! The `kvsweep` command: parse, start the log, run, end with a code that a script can act on.

use std::process::ExitCode;

use kvsweep::{cli, command, exit, logging, progress};
use mimalloc::MiMalloc;

/// Every request takes some sixty allocations, most of them the HTTP library's: a tenth fewer instructions a key than with
/// glibc's, and far fewer than with musl's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::parse_from(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads to its end is no failure.
            let _ = error.print();
            return exit::ExitCode::for_usage(&error).into();
        }
    };
    let screen = progress::screen();
    if let Err(error) = logging::start(cli.log_options(), &screen) {
        tracing::error!("{error}");
        return exit::ExitCode::Error.into();
    }
    match cli::resolve::task(cli).and_then(|task| command::run(task, &screen)) {
        Ok(code) => code.into(),
        Err(error) => {
            tracing::error!("{}", error.story());
            error.exit_code().into()
        }
    }
}
