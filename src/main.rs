//! The `kvsweep` command: parse, start the log, run, end with a code that a script can act on.

use std::process::ExitCode;

use kvsweep::internals::{
    ExitCode as Exit, flush_stderr, install_signal_handlers, interruptible, parse_from, print_usage, run_command,
    screen, start_logging, task, unparsed, unstarted,
};
use mimalloc::MiMalloc;

/// Every request takes some sixty allocations, most of them the HTTP library's: a tenth fewer instructions a key than with
/// glibc's, and far fewer than with musl's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let code = run();
    flush_stderr();
    code.into()
}

fn run() -> Exit {
    // Before anything that may block.
    let installed = install_signal_handlers();
    // It reads profiles.
    let cli = match interruptible(|| Ok(parse_from(std::env::args_os()))) {
        Ok(Ok(cli)) => cli,
        Ok(Err(error)) => {
            let code = Exit::for_usage(&error);
            if error.use_stderr() {
                print_usage(&error, std::env::args_os());
                unparsed(std::env::args_os()).inspect(|job| job.end(code));
                return code;
            }
            // Help that nobody reads to its end is no failure.
            let printed = interruptible(move || Ok(error.print()));
            return printed.map_or_else(|error| error.exit_code(), |_| code);
        }
        Err(error) => return error.exit_code(),
    };
    let screen = screen();
    if let Err(error) = start_logging(cli.log_options(), &screen) {
        tracing::error!("{error}");
        return Exit::Error;
    }
    let job = cli.clone();
    let task = installed.and_then(|()| interruptible(|| task(cli)));
    let task = task.inspect_err(|error| drop(unstarted(&job).inspect(|job| job.end(error.exit_code()))));
    task.and_then(|task| run_command(task, &screen)).unwrap_or_else(|error| {
        tracing::error!("{}", error.error_chain());
        error.exit_code()
    })
}
