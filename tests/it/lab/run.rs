//! The binary, run in a folder with nothing of the caller's environment.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// Whether this machine lets us be PID 1 of a namespace; it usually takes root.
pub fn unshare_works() -> bool {
    let tried = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// A command line that is being put together.
pub struct Kvsweep {
    command: Command,
    input: Option<Vec<u8>>,
    /// How many generations below the process that is started the command runs.
    forks: u32,
}

/// What a run left on its streams.
pub struct Done {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Kvsweep {
    pub fn new(binary: PathBuf, folder: &Path) -> Self {
        let mut command = Command::new(binary);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        // For coverage and the like; nothing that kvsweep reads.
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { command, input: None, forks: 0 }
    }

    pub fn args<I: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.command.args(args);
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// What is sent to stdin, which is then closed.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// The same command as PID 1 of a namespace of its own, as in a container; see [`unshare_works`].
    pub fn unshared(self) -> Self {
        let forks = self.forks + 1;
        Self { forks, ..self.by(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]) }
    }

    /// The same command on a terminal of its own, which is typed on through stdin and shown on stdout.
    pub fn on_terminal(self) -> Self {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let words: Vec<_> = words.map(|word| format!("'{}'", word.to_str().expect("UTF-8"))).collect();
        assert!(words.iter().all(|word| word.matches('\'').count() == 2), "{words:?}");
        let mut command = Command::new("script");
        command.args(["-qefc", &format!("exec {}", words.join(" ")), "/dev/null"]);
        Self { command: self.like(command), input: self.input, forks: self.forks + 1 }.env("TERM", "xterm")
    }

    /// The same command, run by another that becomes it: `env`, say.
    pub fn by<I: AsRef<OsStr>>(self, words: impl IntoIterator<Item = I>) -> Self {
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg(self.command.get_program()).args(self.command.get_args());
        Self { command: self.like(command), ..self }
    }

    /// Gives another command the folder and the environment of this one.
    fn like(&self, mut command: Command) -> Command {
        command.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().expect("a folder"));
        command
    }

    pub(super) fn forks(&self) -> u32 {
        self.forks
    }

    /// For what the methods here do not cover.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Done {
        let input = self.input.take();
        let mut child = self.spawn(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let writer = input.and_then(|input| {
            let mut stdin = child.stdin.take()?;
            // A job that stops reading closes the pipe; what came of it is in its output.
            Some(std::thread::spawn(move || {
                let _ = stdin.write_all(&input);
            }))
        });
        let output = child.wait_with_output().expect("the binary's output");
        if let Some(writer) = writer {
            writer.join().expect("the writer of stdin");
        }
        output.into()
    }

    /// Starts it; its streams are pipes.
    pub fn spawn(&mut self, stdin: Stdio) -> Child {
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().expect("the binary starts")
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8 on the streams");
        let stderr = text(output.stderr);
        let is_json = stderr.starts_with('{');
        assert!(is_json || !stderr.contains("\\nhint"), "a hint is a line of its own:\n{stderr}");
        Self { status: output.status, stdout: text(output.stdout), stderr }
    }
}

impl Done {
    /// Asserts the exit code; shows the streams where it is another.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The summary of `--json`.
    #[track_caller]
    pub fn summary(&self) -> serde_json::Value {
        let json = serde_json::from_str(&self.stdout);
        json.unwrap_or_else(|error| panic!("{error} in stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}
