//! The binary, run in a folder with nothing of the caller's environment.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// A command line that is being put together.
pub struct Kvsweep {
    command: Command,
    input: Option<Vec<u8>>,
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
        Self { command, input: None }
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
        Self { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
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
