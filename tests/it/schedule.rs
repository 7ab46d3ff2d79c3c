//! The samples for schedulers do what they say: their commands are run as they stand, with the paths of a lab.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin;
use kvsweep::internals::ExitCode;

use crate::lab::{Hook, Kvsweep, Lab, TOKEN};

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/schedule").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rest of the one line that begins so.
fn line<'a>(text: &'a str, beginning: &str) -> &'a str {
    let mut found = text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning));
    let rest = found.next().unwrap_or_else(|| panic!("no line begins with {beginning}"));
    assert_eq!(found.next(), None, "two lines begin with {beginning}");
    rest
}

fn cron_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/cron.sh")
}

/// A lab with three keys in a list, one that is not in it, and a token in a file.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.server.preload(["one", "two", "three", "keep"]);
    lab.write("expired.csv", "key\none\ntwo\nthree\n");
    lab.write("token", format!("{TOKEN}\n"));
    lab
}

#[test]
fn the_crontab_line_runs_the_script_with_its_environment() {
    let text = sample("crontab");
    let job = line(&text, "17 3 * * *  kvsweep  ");
    let lab = lab();
    let (folder, script) = (lab.folder().display(), cron_script());
    lab.write("env", format!("CLOUDFLARE_API_TOKEN={TOKEN}\n"));
    let job = job.replace("/etc/kvsweep", &folder.to_string()).replace("/srv/kvsweep", &folder.to_string());
    let job = job.replace("cron.sh", &format!("sh {}", script.display()));
    let job = job.replace("/var/lib/kvsweep", &format!("{folder}/kept"));
    let run = lab.like(Kvsweep::new("sh".into(), lab.folder())).without_env("CLOUDFLARE_API_TOKEN");
    let done = run.args(["-c", &job]).env("KVSWEEP", cargo_bin("kvsweep")).run().code(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "cron would send a mail");
    assert_eq!(lab.server.keys(), ["keep"]);
}

#[test]
fn the_service_runs_the_script_with_the_credential() {
    let text = sample("kvsweep.service");
    let command = line(&text, "ExecStart=");
    let lab = lab();
    let folder = lab.folder().display().to_string();
    let command = command
        .replace("/usr/local/bin/cron.sh", &cron_script().display().to_string())
        .replace("/srv/kvsweep", &folder)
        .replace("%S", &folder)
        .replace("%d", &folder);
    assert!(!command.contains(['%', '$']), "{command}");
    let run = lab.like(Kvsweep::new("sh".into(), lab.folder())).without_env("CLOUDFLARE_API_TOKEN");
    run.args(command.split(' ')).env("KVSWEEP", cargo_bin("kvsweep")).run().code(0);
    assert_eq!(lab.server.keys(), ["keep"]);
    assert!(lab.path("kvsweep").is_dir(), "it writes into its state directory");
    // Longer than what a stopping job may take: the grace (10 s) and a last ping (15 s).
    assert!(line(&text, "TimeoutStopSec=").parse::<u32>().expect("seconds") > 25);
}

/// The arguments of a manifest's container, with the paths of a lab and these variables.
fn args(manifest: &str, lab: &Lab, variables: &[(&str, &str)]) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "args:").skip(1);
    let args = lines.map_while(|line| line.trim_start().strip_prefix("- "));
    let folder = lab.folder().display().to_string();
    let args = args.map(|arg| {
        let arg = arg.replace("/data", &folder).replace("/secret", &folder);
        variables.iter().fold(arg, |arg, (name, value)| arg.replace(&format!("$({name})"), value))
    });
    let args: Vec<_> = args.collect();
    assert!(args.len() > 4 && !args.iter().any(|arg| arg.contains("$(")), "{args:?}");
    args
}

/// As a container runs it: no token in the environment.
fn container(lab: &Lab, args: Vec<String>) -> Kvsweep {
    lab.kvsweep(args).without_env("CLOUDFLARE_API_TOKEN")
}

#[test]
fn the_cron_job_goes_on_with_its_own_report() {
    let (lab, text) = (lab(), sample("cronjob.yaml"));
    let arguments = args(&text, &lab, &[("JOB", "kvsweep-29375477")]);
    container(&lab, arguments.clone()).args(["--rate", "none"]).run().code(0);
    assert_eq!(lab.server.keys(), ["keep"]);
    // A second Pod of the same Job finds nothing left.
    let requests = lab.server.requests();
    container(&lab, arguments).run().code(0);
    assert_eq!(lab.server.requests(), requests);
    assert_eq!(lab.rows("kvsweep-29375477.csv").len(), 3);
}

#[test]
fn the_pods_of_the_indexed_job_delete_all_of_it() {
    let (lab, text) = (Lab::new(), sample("indexed-job.yaml"));
    lab.write("token", TOKEN);
    let keys = lab.keys(200);
    std::fs::rename(lab.path("keys.txt"), lab.path("purge.csv")).expect("the list");
    let shard = text.split("name: KVSWEEP_SHARD\n").nth(1).expect("which shard");
    let shard = line(shard.lines().next().expect("its value"), "value: ").trim_matches('"').to_owned();
    let shards = shard.strip_prefix("auto/").expect("the number of shards");
    assert_eq!(line(&text, "completions: "), shards);
    let mut reports = Vec::new();
    for index in (0..shards.parse::<u32>().expect("a number")).map(|index| index.to_string()) {
        let variables = [("JOB_COMPLETION_INDEX", index.as_str())];
        let run = container(&lab, args(&text, &lab, &variables)).args(["--no-header", "--format", "csv"]);
        let run = run.env("KVSWEEP_SHARD", &shard).env("JOB_COMPLETION_INDEX", &index);
        run.run().code(0);
        reports.push(format!("purge-{index}.csv"));
    }
    let rows: Vec<_> = reports.iter().flat_map(|report| lab.rows(report)).collect();
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
}

#[test]
fn no_manifest_tries_again_what_would_not_help() {
    let hopeless: BTreeSet<u8> = [ExitCode::Usage, ExitCode::Fatal, ExitCode::Guard].map(ExitCode::as_u8).into();
    for name in ["cronjob.yaml", "indexed-job.yaml"] {
        let text = sample(name);
        let codes = text.split("values: [").nth(1).and_then(|rest| rest.split(']').next()).expect("exit codes");
        assert_eq!(codes.split(", ").map(|code| code.parse().expect("a code")).collect::<BTreeSet<u8>>(), hopeless);
        // The schemas do not know these words; the API server does.
        for (beginning, expected) in [
            ("restartPolicy: ", "Never"),
            ("onExitCodes: { containerName: kvsweep, operator: ", "In, values: [2, 7, 8] }"),
        ] {
            assert_eq!(line(&text, beginning), expected, "{name}");
        }
        let seconds: u64 = line(&text, "activeDeadlineSeconds: ").parse().expect("seconds");
        let hours: u64 = line(&text, "- --deadline=").trim_end_matches('h').parse().expect("hours");
        assert!(hours * 3_600 + 45 < seconds, "{name}");
        assert!(line(&text, "terminationGracePeriodSeconds: ").parse::<u32>().expect("seconds") > 25, "{name}");
    }
}

#[test]
fn the_workflow_deletes_what_it_says() {
    let text = sample("github-actions.yml");
    let command: Vec<&str> = line(&text, "delete --prefix ").split(' ').collect();
    let lab = Lab::new();
    lab.server.preload(["tmp:1", "tmp:2", "keep"]);
    let hook = Hook::answering(&[(200, "OK")]);
    let run = lab.kvsweep(["delete", "--prefix"]).args(command).env("KVSWEEP_PING", hook.url("x"));
    run.run().code(0);
    assert_eq!(lab.server.keys(), ["keep"]);
    assert_eq!(hook.pings().last().map(|ping| ping.target.clone()), Some("/x".to_owned()));
    assert_eq!(lab.rows("report.csv").len(), 2);
}
