//! The other ends of the measurements: a server that is faster than every client, the floor that a client is compared
//! with, the `csv` crate's own reader, and files of keys to work on. See benches/README.md.
#![expect(clippy::print_stdout, reason = "what it measures is what it prints")]

mod count;
mod files;
mod floor;
mod server;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

/// Whatever goes wrong ends the measurement.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: rig server [--port N] [--latency-ms N] [--cert PATH]
       rig floor URL REQUESTS IN-FLIGHT [CERT]
       rig count CSV
       rig keys N CSV
       rig shuffled N CSV
       rig report N CSV";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server", ref options @ ..] => runtime()?.block_on(server::run(server_options(options)?)),
        ["floor", url, requests, in_flight] => {
            runtime()?.block_on(floor::run(url, requests.parse()?, in_flight.parse()?, None))
        }
        ["floor", url, requests, in_flight, cert] => {
            runtime()?.block_on(floor::run(url, requests.parse()?, in_flight.parse()?, Some(Path::new(cert))))
        }
        ["count", path] => count::run(Path::new(path)),
        ["keys", count, path] => files::keys(count.parse()?, Path::new(path)),
        ["shuffled", count, path] => files::shuffled(count.parse()?, Path::new(path)),
        ["report", count, path] => files::report(count.parse()?, Path::new(path)),
        _ => Err(USAGE.into()),
    }
}

fn server_options(words: &[&str]) -> Outcome<server::Options> {
    let mut options = server::Options::default();
    for pair in words.chunks(2) {
        match *pair {
            ["--port", port] => options.port = port.parse()?,
            ["--latency-ms", latency] => options.latency = Duration::from_millis(latency.parse()?),
            ["--cert", path] => options.cert = Some(path.into()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
