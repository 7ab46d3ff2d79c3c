//! Parts of one job on a real scheduler: Slurm with one node on loopback, started and ended by the test.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kvsweep::sandbox::{Quota, SandboxOptions};
use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Kvsweep, Lab, final_rows, pause, wait_until};

/// The daemons of a cluster. Dropped, they are killed.
struct Slurm {
    folder: tempfile::TempDir,
    daemons: Vec<Child>,
}

fn text_of(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).output().expect("a command of the system");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener.local_addr().expect("its address").port()
}

impl Slurm {
    /// `None` if it is not installed, or does not start on this machine.
    #[expect(clippy::print_stderr, reason = "why it is skipped is what is asked for")]
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let private = |name: &str| {
            std::fs::create_dir(path(name)).expect("a folder");
            std::fs::set_permissions(path(name), PermissionsExt::from_mode(0o700)).expect("its permissions");
        };
        for name in ["munge", "state", "spool"] {
            private(name);
        }
        std::fs::write(path("munge/key"), rand::random::<[u8; 128]>()).expect("a key");
        std::fs::set_permissions(path("munge/key"), PermissionsExt::from_mode(0o600)).expect("its permissions");
        let mut slurm = Self { daemons: Vec::new(), folder };
        let munge = ["key-file", "socket", "pid-file", "log-file", "seed-file"]
            .map(|flag| format!("--{flag}={}", slurm.path(&format!("munge/{}", flag.replace("-file", ""))).display()));
        slurm.daemon(
            "munged",
            &munge.iter().map(String::as_str).chain(["--force", "--foreground"]).collect::<Vec<_>>(),
        )?;
        let socket = slurm.path("munge/socket");
        wait_until("munged listens", || socket.exists());
        std::fs::write(slurm.path("slurm.conf"), slurm.configuration()).expect("the configuration");
        slurm.daemon("slurmctld", &["-D"])?;
        slurm.daemon("slurmd", &["-D"])?;
        for _ in 0..300 {
            if slurm.ask("sinfo", &["--noheader", "--format=%t"]) == "idle" {
                return Some(slurm);
            }
            pause(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(slurm.path("slurmctld.log")).unwrap_or_default();
        eprintln!("this machine runs no Slurm:\n{log}");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        let (user, host) = (text_of("id", &["-un"]), text_of("hostname", &["-s"]));
        let folder = self.folder.path().display();
        let (controller, node) = (free_port(), free_port());
        format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
             SlurmUser={user}\nSlurmdUser={user}\nAuthType=auth/munge\nCredType=cred/munge\n\
             AuthInfo=socket={folder}/munge/socket\nStateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool\n\
             SlurmctldPidFile={folder}/slurmctld.pid\nSlurmdPidFile={folder}/slurmd.pid\n\
             SlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/slurmd.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nSlurmdParameters=config_overrides\n\
             ReturnToService=2\nRequeueExit=137\nSchedulerParameters=batch_sched_delay=1,sched_min_interval=1\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN\nPartitionName=all Nodes=ALL Default=YES State=UP\n"
        )
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let sbin = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        command.env("PATH", sbin).env("SLURM_CONF", self.path("slurm.conf"));
        command
    }

    fn daemon(&mut self, program: &str, args: &[&str]) -> Option<()> {
        let log = std::fs::File::create(self.path(&format!("{program}.out"))).expect("a log");
        let mut command = self.command(program);
        command.args(args).stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        self.daemons.push(command.spawn().ok()?);
        Some(())
    }

    /// What a command prints.
    fn ask(&self, program: &str, args: &[&str]) -> String {
        let output = self.command(program).args(args).output().expect("a command of Slurm");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Submits the sample as `tasks` tasks in the lab's folder; the number of the job.
    fn submit(&self, lab: &Lab, tasks: &str) -> String {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/schedule/array.sbatch");
        let binaries = cargo_bin("kvsweep").parent().expect("a folder").display().to_string();
        let path = format!("{binaries}:{}", std::env::var("PATH").unwrap_or_default());
        let array = format!("--array={tasks}");
        let command = lab
            .like(Kvsweep::new(PathBuf::from("sbatch"), lab.folder()))
            .env("PATH", path)
            .env("SLURM_CONF", self.path("slurm.conf"))
            .env("KVSWEEP_RATE", "8000/5s")
            .args(["--parsable", &array])
            .arg(sample);
        command.run().code(0).stdout.trim().to_owned()
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // An error means that it has ended.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// The process that writes a report of this folder.
fn writer_of(folder: &Path, report: &str) -> Option<Pid> {
    let folder = std::fs::metadata(folder).ok()?.ino();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
        let words = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
        let is_here = std::fs::metadata(process.path().join("cwd")).ok()?.ino() == folder;
        (is_here && words.contains("kvsweep\0delete") && words.contains(report)).then_some(pid)
    })
}

#[test]
fn an_array_job_deletes_each_of_40000_keys_once_though_a_task_is_killed_and_requeued() {
    const KEYS: usize = 40_000;
    const CONCURRENCY: usize = 32;
    let Some(slurm) = Slurm::start() else {
        eprintln!("skipped: there is no Slurm (slurm-wlm, munge) that could be started");
        return;
    };
    let quota = Quota::sliding(8_000, Duration::from_secs(5));
    let lab = Lab::with(SandboxOptions { quotas: vec![quota], ..SandboxOptions::default() });
    let keys = lab.keys(KEYS);
    let job = slurm.submit(&lab, "1-4");
    wait_until("the job is midway", || lab.server.requests() > KEYS as u64 / 4);
    kill_process(writer_of(lab.folder(), "part-2.csv").expect("the task runs"), Signal::KILL).expect("it is there");

    // Slurm lets a requeued task wait for two minutes. It needs a few seconds: slurmd refuses a credential that was issued in the
    // second in which the earlier one was revoked.
    let requeued = format!("{job}_2");
    wait_until("the task is requeued", || {
        slurm.ask("squeue", &["--noheader", "--format=%t", "--jobs", &requeued]) == "PD"
    });
    assert!(lab.rows("part-2.csv").len() < KEYS / 4, "it had ended before");
    slurm.ask("scontrol", &["update", &format!("JobId={requeued}"), "StartTime=now+3seconds"]);
    for _ in 0..3_000 {
        if slurm
            .ask("squeue", &["--noheader", "--states=all", "--jobs", &job, "--format=%T"])
            .lines()
            .all(|state| !["PENDING", "CONFIGURING", "RUNNING", "COMPLETING"].contains(&state))
        {
            break;
        }
        pause(Duration::from_millis(100));
    }

    let logs = || (1..=4).map(|part| lab.read(&format!("part-{part}.log"))).collect::<String>();
    assert!(lab.server.is_empty(), "keys are left: {}", logs());
    let mut times = BTreeMap::new();
    for entry in lab.deletes() {
        *times.entry(entry.key.expect("a key")).or_insert(0) += 1;
    }
    assert!(keys.iter().all(|key| times.contains_key(key)) && times.len() == KEYS);
    let again = times.values().filter(|times| **times > 1).count();
    assert!(again <= CONCURRENCY && times.values().all(|times| *times <= 2), "{again} keys were sent again");
    assert_eq!(lab.server.refused_by_quota(), 0, "{}", logs());

    let parts: Vec<String> = (1..=4).map(|part| format!("part-{part}.csv")).collect();
    let done = lab.kvsweep(["report"]).args([&parts[0], &parts[2], &parts[3]]).run();
    assert!(done.stdout.contains("2/4") || done.stderr.contains("2/4"), "{}{}", done.stdout, done.stderr);
    let review = lab.kvsweep(["report", "--json"]).args(&parts).run().code(0).summary();
    assert_eq!((&review["inputs"], &review["records"], &review["deleted"]), (&1.into(), &KEYS.into(), &KEYS.into()));
    let rows: Vec<_> = parts.iter().flat_map(|part| lab.rows(part)).collect();
    assert_eq!(final_rows(&rows).len(), KEYS);
}

/// GNU parallel instead: four processes of one shell.
#[test]
fn gnu_parallel_runs_the_parts_of_a_job() {
    if Command::new("parallel").arg("--version").output().is_err() {
        eprintln!("skipped: there is no GNU parallel on this machine");
        return;
    }
    let lab = Lab::new();
    let keys = lab.keys(400);
    let command = format!(
        "{} delete keys.txt --yes --shard {{}}/4 --report part-{{}}.csv --rate 1000/1s",
        cargo_bin("kvsweep").display()
    );
    let parallel = Kvsweep::new(PathBuf::from("parallel"), lab.folder()).env("HOME", lab.folder());
    lab.like(parallel).args([&command, ":::", "1", "2", "3", "4"]).run().code(0);
    let rows: Vec<_> = (1..=4).flat_map(|part| lab.rows(&format!("part-{part}.csv"))).collect();
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
}
