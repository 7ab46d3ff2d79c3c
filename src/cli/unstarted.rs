//! What metrics and pings need of a job that ends before it begins, because a setting or the command line cannot be used.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::builder::{OsStringValueParser, Resettable};

use super::environment::says_yes;
use super::parse::command;
use super::value::{ShardArg, job_name, metrics_file};
use super::{Cli, Command, access, auto_shard};
use crate::command::{Monitoring, NamespaceRef, Unstarted};

/// The flags that are read although others cannot be.
const READ: [&str; 6] = ["metrics_file", "job_name", "ping", "shard", "namespace_id", "cacert"];

/// Of a job whose settings cannot be used.
pub fn unstarted(cli: &Cli) -> Option<Unstarted> {
    let (connection, monitoring, shard) = match &cli.command {
        Command::Delete(args) => (&args.connection, &args.monitoring, args.shard),
        Command::Restore(args) => (&args.connection, &args.monitoring, None),
        _ => return None,
    };
    let namespace = access::namespace(connection).ok().and_then(|(_, namespace)| namespace);
    Some(of(monitoring.clone().into(), namespace, shard, connection.account.cacert.clone()))
}

/// Of a command line that cannot be used, as far as it can be read. A namespace that only a profile or a wrangler file names
/// is not known.
pub fn unparsed(words: impl IntoIterator<Item = OsString>) -> Option<Unstarted> {
    let command = ["delete", "restore"].into_iter().fold(command().ignore_errors(true), |command, name| {
        command.mut_subcommand(name, |command| command.mut_args(lenient))
    });
    let matches = command.try_get_matches_from(words).ok()?;
    let (_, given) = matches.subcommand().filter(|(name, _)| matches!(*name, "delete" | "restore"))?;
    let is_given = |id| matches!(given.try_get_one::<bool>(id), Ok(Some(true)));
    // They are not monitored.
    if is_given("dry_run") || is_given("sandbox") || says_yes("KVSWEEP_DRY_RUN") {
        return None;
    }
    let monitoring = Monitoring {
        metrics_file: text(given, "metrics_file").and_then(|path| metrics_file(path).ok()),
        job_name: text(given, "job_name").and_then(|name| job_name(name).ok()),
        ping: text(given, "ping").and_then(|url| url.parse().ok()),
    };
    let title = text(given, "namespace").map(|title| NamespaceRef::Title(title.to_owned()));
    let id = text(given, "namespace_id").and_then(|id| id.parse().ok()).map(NamespaceRef::Id);
    let namespace = title.or(id).filter(|_| text(given, "binding").is_none());
    let shard = text(given, "shard").map(str::parse::<ShardArg>).transpose();
    let (namespace, shard) = shard.map_or((None, None), |shard| (namespace, shard));
    Some(of(monitoring, namespace, shard, text(given, "cacert").map(Into::into)))
}

fn of(
    monitoring: Monitoring,
    namespace: Option<NamespaceRef>,
    shard: Option<ShardArg>,
    ca_file: Option<PathBuf>,
) -> Unstarted {
    let shard = auto_shard::shard(shard);
    // If the part is not known, its labels are not.
    let namespace = namespace.filter(|_| shard.is_ok());
    Unstarted { monitoring, namespace, ca_file, shard: shard.ok().flatten() }
}

/// Takes any value, so that nothing is wrong with it.
fn lenient(arg: clap::Arg) -> clap::Arg {
    let arg = if READ.contains(&arg.get_id().as_str()) { arg } else { arg.env(Resettable::Reset) };
    if arg.get_action().takes_values() { arg.value_parser(OsStringValueParser::new()).required(false) } else { arg }
}

fn text<'a>(given: &'a ArgMatches, id: &str) -> Option<&'a str> {
    given.try_get_raw(id).ok().flatten()?.next()?.to_str()
}
