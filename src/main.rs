//! The `kvsweep` command: parse, start the log, run, end with a code that a script can act on.

use std::process::ExitCode;

use kvsweep::{cli, command, exit, logging, progress, stderr};
use mimalloc::MiMalloc;

/// Every request takes some sixty allocations, most of them the HTTP library's: a tenth fewer instructions a key than with
/// glibc's, and far fewer than with musl's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let code = run();
    stderr::flush();
    code.into()
}

fn run() -> exit::ExitCode {
    // Before anything that may block.
    let installed = command::install_signal_handlers();
    // It reads profiles.
    let cli = match command::interruptible(|| Ok(cli::parse_from(std::env::args_os()))) {
        Ok(Ok(cli)) => cli,
        Ok(Err(error)) => {
            let code = exit::ExitCode::for_usage(&error);
            // Help that nobody reads to its end is no failure.
            let printed = command::interruptible(move || Ok(error.print()));
            return printed.map_or_else(|error| error.exit_code(), |_| code);
        }
        Err(error) => return error.exit_code(),
    };
    let screen = progress::screen();
    if let Err(error) = logging::start(cli.log_options(), &screen) {
        tracing::error!("{error}");
        return exit::ExitCode::Error;
    }
    let task = installed.and_then(|()| command::interruptible(|| cli::resolve::task(cli)));
    task.and_then(|task| command::run(task, &screen)).unwrap_or_else(|error| {
        tracing::error!("{}", error.error_chain());
        error.exit_code()
    })
}
