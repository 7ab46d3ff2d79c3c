//! Outputs that are inputs, that cannot be written, or that nobody reads.

use std::fs::File;
use std::process::Stdio;

use super::Run;
use crate::case::{Output, Stream};
use crate::lab::{Running, wait_until};
use crate::{contract, files};

impl Run<'_> {
    pub(super) fn output_is_input(&mut self, output: Output) {
        let input = files::name(&self.case.form, 0);
        let content = std::fs::read(self.lab.path(&input)).expect("the input");
        let mut words = self.mode_words(false);
        words.retain(|word| !word.starts_with("--backup"));
        words.extend(match output {
            Output::Report => [format!("--report={input}"), "--overwrite".to_owned()].to_vec(),
            Output::Failures => [format!("--failures={input}"), "--overwrite".to_owned()].to_vec(),
            Output::Backup => vec![format!("--backup={input}")],
            Output::Stdout => vec!["--report=-".to_owned()],
        });
        words.extend(self.guard_words());
        words.extend(self.input_words());
        let command = match output {
            // Standard output goes on at the end of the input.
            Output::Stdout => {
                let mut command = self.command(words);
                let mut options = std::fs::File::options();
                let file = options.append(true).open(self.lab.path(&input)).expect("the input");
                let stdin = self.stdin();
                let mut child = command
                    .command()
                    .stdin(stdin)
                    .stdout(file)
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("the binary starts");
                wait_until("the process ends", || child.try_wait().expect("it can be waited for").is_some());
                child.wait().expect("it can be waited for").code()
            }
            _ => self.run(words, None).status.code(),
        };
        assert_eq!(command, Some(2), "an output is an input");
        assert!(self.changed().is_empty(), "something was sent");
        assert_eq!(std::fs::read(self.lab.path(&input)).expect("the input"), content, "the input was changed");
    }

    /// An output cannot take a byte.
    pub(super) fn full_device(&mut self, output: Output) {
        let device = "/dev/full";
        let link = |name: &str| std::os::unix::fs::symlink(device, self.lab.path(name)).expect("a link");
        let extra: &[&str] = match output {
            Output::Report => {
                link("full.csv");
                &["--report=full.csv", "--overwrite"]
            }
            Output::Failures => {
                link("failures.csv");
                &["--failures=failures.csv", "--overwrite"]
            }
            Output::Backup => {
                link("full.ndjson");
                &["--backup=full.ndjson", "--overwrite"]
            }
            Output::Stdout => &["--report=-"],
        };
        let words = match output {
            Output::Report | Output::Stdout => self.job_words(extra),
            Output::Failures | Output::Backup => self.delete_words(extra),
        };
        let command = self.command(words);
        let done = if output == Output::Stdout {
            self.note("stdout is /dev/full");
            let full = File::options().write(true).open(device).expect("a device");
            self.run_on(command, full.into(), None)
        } else {
            self.run_command(command, None)
        };
        self.check_touched();
        let gone = self.before.keys().filter(|name| !self.lab.server.contains(name)).count();
        let code = done.status.code();
        match output {
            Output::Report | Output::Stdout => {
                let is_empty = contract::records(self.case).is_empty();
                assert!(is_empty || matches!(code, Some(1 | 2)), "{code:?}: {}", done.stderr);
                assert!(gone <= contract::most_without_row(self.case), "{gone} keys are gone and in no report");
            }
            Output::Failures => assert!(matches!(code, Some(0..=3)), "{code:?}: {}", done.stderr),
            Output::Backup => assert_eq!(gone, 0, "keys are gone and in no backup: {}", done.stderr),
        }
    }

    /// "A closed stdout does not end the job", nor does a stderr that nobody reads.
    pub(super) fn streams(&mut self, stdout: Stream, stderr: Stream) {
        let words = self.delete_words(&[]);
        let command = self.command(words);
        self.note(&format!("stdout: {stdout:?}, stderr: {stderr:?}"));
        let closing: Vec<&str> = [(stdout, ">&-"), (stderr, "2>&-")]
            .into_iter()
            .filter_map(|(stream, words)| (stream == Stream::Closed).then_some(words))
            .collect();
        let script = format!("exec \"$0\" \"$@\" {}", closing.join(" "));
        // What is in the pipe is read by nobody, but the reader of a stuck one stays until the job has ended.
        let mut readers = Vec::new();
        let mut stream = |stream| match stream {
            Stream::File | Stream::Closed => None,
            Stream::Full => Some(Stdio::from(File::options().write(true).open("/dev/full").expect("a device"))),
            Stream::Unread | Stream::Stuck => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                readers.extend((stream == Stream::Stuck).then_some(reader));
                Some(writer.into())
            }
        };
        let (out, err) = (stream(stdout).unwrap_or_else(Stdio::null), stream(stderr));
        let done = self.run_on(command.by(["sh", "-c", &script]), out, err);
        self.check_finished_silently(&done);
    }

    /// Runs a command on streams of its own.
    fn run_on(&self, command: crate::lab::Kvsweep, stdout: Stdio, stderr: Option<Stdio>) -> crate::lab::Done {
        let number = self.commands.len();
        let (said, told) =
            (self.lab.path(&format!("run{number}.stdout")), self.lab.path(&format!("run{number}.stderr")));
        File::create(&said).expect("a file");
        let file = File::create(&told).expect("a file");
        let streams = (stdout, stderr.unwrap_or_else(|| file.into()));
        self.finish(Running::start(command, self.stdin(), streams, (said, told)))
    }
}
