//! A run that is watched, signalled or killed while it goes on. Its streams are files, so that it never waits for a
//! reader.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Done, Kvsweep, Lab};

/// How often a condition is looked at, and how many looks it is given before a test fails.
const LOOK: (Duration, u32) = (Duration::from_millis(2), 60_000);

/// A run under way. Dropped, it is killed.
pub struct Running {
    child: Child,
    /// How many generations below it the binary runs.
    forks: u32,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// Waits until something holds; fails the test where it never does.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..LOOK.1 {
        if holds() {
            return;
        }
        pause(LOOK.0);
    }
    panic!("it never came to this: {what}");
}

/// Lets real time pass, for what is about real time: an outage that lasts, a condition that is looked at again.
#[expect(clippy::disallowed_methods, reason = "the one place where a test waits")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

impl Lab {
    /// Starts a run whose streams are files named after `name` in the lab's folder.
    pub fn start(&self, name: &str, kvsweep: Kvsweep) -> Running {
        self.start_with(name, kvsweep, Stdio::null())
    }

    /// The same with a stdin of one's own.
    pub fn start_with(&self, name: &str, kvsweep: Kvsweep, stdin: Stdio) -> Running {
        let (stdout, stderr) = (self.path(&format!("{name}.stdout")), self.path(&format!("{name}.stderr")));
        let file = |path| Stdio::from(File::create(path).expect("a file for a stream"));
        Running::start(kvsweep, stdin, (file(&stdout), file(&stderr)), (stdout, stderr))
    }
}

impl Running {
    /// Starts a run on streams of one's own; what is in the files is what was said.
    pub fn start(
        kvsweep: Kvsweep,
        stdin: Stdio,
        streams: (Stdio, Stdio),
        (stdout, stderr): (PathBuf, PathBuf),
    ) -> Self {
        // The tests may run under `nohup` or in the background of a script: what they ignore is not ignored here.
        let mut kvsweep = kvsweep.by(["env", "--default-signal=HUP,INT,TERM"]);
        let command = kvsweep.command().stdin(stdin).stdout(streams.0).stderr(streams.1);
        let child = command.spawn().expect("the binary starts");
        Self { child, forks: kvsweep.forks(), stdout, stderr }
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    fn pid(&self) -> Pid {
        let pid = (0..self.forks).try_fold(Pid::from_child(&self.child), |pid, _| only_child(pid));
        pid.expect("the binary runs")
    }

    /// Stops it (SIGSTOP), and returns once it does nothing more: false if it has ended instead.
    pub fn stop(&mut self) -> bool {
        let pid = self.pid();
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        // The state follows the name in parentheses (proc_pid_stat(5)).
        let is_stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
        wait_until("the process stops", || is_stopped() || self.has_ended());
        !self.has_ended()
    }

    /// What it said on stdout so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stdout).expect("its stdout")).into_owned()
    }

    /// What it said on stderr so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("its stderr")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be waited for").is_some()
    }

    /// Kills it (SIGKILL): it does nothing more, wherever it was.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is there");
        self.child.wait().expect("the process can be waited for");
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn done(mut self) -> Done {
        wait_until("the process ends", || self.has_ended());
        let status = self.child.wait().expect("the process can be waited for");
        let read = |path| std::fs::read_to_string(path).expect("UTF-8 on the streams");
        Done { status, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

fn only_child(pid: Pid) -> Option<Pid> {
    let pid = pid.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Pid::from_raw(children.trim().parse().ok()?)
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
