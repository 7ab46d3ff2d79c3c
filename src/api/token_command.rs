//! The API token as a command prints it: `wrangler auth token`, `op read …`.
//!
//! The command runs once at start and once more for each token that is answered with 401. All clients of a job share its
//! tokens.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::time::Instant;

use crate::api::secret::{SecretError, bearer, redacted, visible};
use crate::platform;

/// The most bytes that a command may print; a token has about 40, an OAuth token some hundred.
const MAX_OUTPUT: u64 = 64 * 1024;

/// The longest line of stderr that is shown, in bytes.
const MAX_LINE: u64 = 1024;

/// The most lines of stderr that are shown.
const MAX_LINES: usize = 200;

/// What a command writes to stderr is shown after this time at the latest: until it has printed the token, the token
/// cannot be removed from it.
const HOLD: Duration = Duration::from_secs(2);

/// How long what a command has printed is waited for once it has ended: a process that it left behind may keep its output
/// open for ever.
const DRAIN: Duration = Duration::from_secs(1);

/// A program that looks like a secret is not named: somebody gave the token instead of the command. Cloudflare's tokens
/// have 40 characters and more, its keys 37.
const MIN_SECRET: usize = 32;

/// A command that prints the API token, with the tokens that it printed. Clones share them.
#[derive(Clone)]
pub struct TokenCommand(Arc<Shared>);

struct Shared {
    program: String,
    args: Vec<String>,
    state: Mutex<State>,
    /// Held while the command runs for a token that was refused.
    running: AsyncMutex<()>,
}

#[derive(Default)]
struct State {
    /// All that were printed; the last one is in use.
    tokens: Vec<SecretString>,
    /// The token in use replaced one that was refused, and no request with it was answered with anything but 401 yet.
    is_fresh: bool,
    /// The command ran for the token in use and printed no other.
    is_spent: bool,
    /// The requests that were refused before and repeated with the token in use, as hashes.
    repeated: HashSet<u64>,
}

/// What to do about a request that was answered with 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AfterRefusal {
    /// Send it again: there is another token.
    Repeat,
    /// Nothing: the token is not the cause, or there is no other.
    Accept,
    /// The command printed no token, for this reason.
    NoToken(String),
}

/// Why a command gives no token. Never holds what it printed, nor its arguments.
#[derive(Debug, Error)]
pub enum TokenCommandError {
    #[error("the command is empty")]
    Empty,
    #[error("the command has a quote that is never closed")]
    Quote,
    #[error("cannot run {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{program} {how}")]
    Failed { program: String, how: String },
    #[error("{0} printed more than {limit} KiB", limit = MAX_OUTPUT / 1024)]
    TooLong(String),
    #[error("what {program} printed is not usable: {reason}")]
    Token { program: String, reason: SecretError },
}

enum Said {
    Output(Vec<u8>),
    Line(String),
    Ended(io::Result<ExitStatus>),
}

impl TokenCommand {
    /// Splits a command into words as a shell does; runs nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, TokenCommandError> {
        let mut words = shell_words::split(text).map_err(|_| TokenCommandError::Quote)?.into_iter();
        let program = words.next().filter(|word| !word.is_empty()).ok_or(TokenCommandError::Empty)?;
        let (state, running) = (Mutex::default(), AsyncMutex::default());
        Ok(Self(Arc::new(Shared { program, args: words.collect(), state, running })))
    }

    /// Runs it for the first token; blocks until it has ended.
    pub(crate) fn start(&self) -> Result<(), TokenCommandError> {
        let token = self.run()?;
        self.state().tokens.push(token);
        Ok(())
    }

    /// The number of the token in use and its header; nothing before [`TokenCommand::start`].
    pub(crate) fn in_use(&self) -> Option<(usize, HeaderValue)> {
        let state = self.state();
        Some((state.tokens.len(), bearer(state.tokens.last()?.expose_secret()).ok()?))
    }

    /// A request with this token was answered with something else than 401.
    pub(crate) fn accepted(&self, token: usize) {
        let mut state = self.state();
        state.is_fresh &= state.tokens.len() != token;
    }

    /// A request with this token was answered with 401. Of several at once, one runs the command.
    pub(crate) async fn refused(&self, token: usize, request: u64) -> AfterRefusal {
        let _running = self.0.running.lock().await;
        {
            let mut state = self.state();
            if state.tokens.len() != token {
                state.repeated.insert(request);
                return AfterRefusal::Repeat;
            }
            if state.is_fresh || state.is_spent || state.repeated.contains(&request) {
                return AfterRefusal::Accept;
            }
        }
        tracing::info!("the API refused the token: running {} for another one", self.name());
        let (done, result) = oneshot::channel();
        let command = self.clone();
        let run = move || drop(done.send(command.run()));
        // Not one of the runtime's threads: what waits for those would wait for the command, too.
        let result = match thread::Builder::new().name("token".to_owned()).spawn(run) {
            Ok(_) => result.await.unwrap_or_else(|_| Err(self.failed("could not be watched"))),
            Err(source) => Err(TokenCommandError::Start { program: self.name(), source }),
        };
        let mut state = self.state();
        let is_same =
            |new: &SecretString| state.tokens.last().is_some_and(|token| token.expose_secret() == new.expose_secret());
        match result {
            Ok(new) if is_same(&new) => {
                state.is_spent = true;
                AfterRefusal::Accept
            }
            Ok(new) => {
                state.tokens.push(new);
                state.is_fresh = true;
                state.repeated = HashSet::from([request]);
                AfterRefusal::Repeat
            }
            Err(error) => {
                state.is_spent = true;
                AfterRefusal::NoToken(error.to_string())
            }
        }
    }

    /// A text without any of the tokens, at most 1 KiB long.
    pub(crate) fn redacted(&self, text: &str) -> String {
        redacted(text, &self.state().tokens)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> String {
        let program = &self.0.program;
        if program.len() >= MIN_SECRET && !program.contains('/') { "the command" } else { program }.to_owned()
    }

    fn failed(&self, how: impl Into<String>) -> TokenCommandError {
        TokenCommandError::Failed { program: self.name(), how: how.into() }
    }

    fn run(&self) -> Result<SecretString, TokenCommandError> {
        let start = |source| TokenCommandError::Start { program: self.name(), source };
        let command = &mut Command::new(&self.0.program);
        let command = command.args(&self.0.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(start)?;
        let (sender, said) = mpsc::channel();
        let spawn = |work: Box<dyn FnOnce() + Send>| thread::Builder::new().spawn(work).map_err(start);
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            let (output, lines) = (sender.clone(), sender.clone());
            spawn(Box::new(move || pass_output(stdout, &output)))?;
            spawn(Box::new(move || pass_lines(stderr, &lines)))?;
        }
        spawn(Box::new(move || drop(sender.send(Said::Ended(child.wait())))))?;
        let (mut output, mut held, mut ended) = (Vec::new(), Vec::new(), None);
        let mut next = Instant::now() + HOLD;
        loop {
            let event = match (ended.is_some() || !held.is_empty(), next.checked_duration_since(Instant::now())) {
                (_, Some(wait)) => said.recv_timeout(wait),
                (true, None) => Err(RecvTimeoutError::Timeout),
                (false, None) => said.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(Said::Output(bytes)) => output.extend(bytes),
                Ok(Said::Line(line)) => held.push(line),
                Ok(Said::Ended(status)) => (ended, next) = (Some(status), Instant::now() + DRAIN),
                Err(RecvTimeoutError::Timeout) if ended.is_none() => self.show(mem::take(&mut held), None),
                Err(_) => break,
            }
        }
        let token = self.token(&output, ended.unwrap_or_else(|| Err(io::ErrorKind::Other.into())));
        self.show(held, token.as_ref().ok());
        token
    }

    fn token(&self, output: &[u8], ended: io::Result<ExitStatus>) -> Result<SecretString, TokenCommandError> {
        let program = self.name();
        if output.len() as u64 > MAX_OUTPUT {
            return Err(TokenCommandError::TooLong(program));
        }
        let status = ended.map_err(|source| TokenCommandError::Start { program: self.name(), source })?;
        match (status.code(), platform::signal_of(status)) {
            (Some(0), _) => {}
            (Some(code), _) => return Err(self.failed(format!("ended with exit code {code}"))),
            (None, signal) => return Err(self.failed(format!("was ended by signal {}", signal.unwrap_or_default()))),
        }
        let text = String::from_utf8_lossy(output);
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
        let token = visible("API token", text).map(SecretString::from);
        token.map_err(|reason| TokenCommandError::Token { program, reason })
    }

    /// What the command wrote to stderr, without the tokens that are known; `new` is the one that it has just printed.
    fn show(&self, lines: Vec<String>, new: Option<&SecretString>) {
        let name = self.name();
        for line in lines {
            let state = self.state();
            let line = redacted(&line, state.tokens.iter().chain(new));
            drop(state);
            tracing::warn!("{name}: {line}");
        }
    }
}

/// Passes on at most one byte more than is allowed; a command that prints more then gets a closed pipe.
fn pass_output(stdout: impl Read, said: &Sender<Said>) {
    let mut stdout = stdout.take(MAX_OUTPUT + 1);
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stdout.read(&mut buffer) {
        if said.send(Said::Output(buffer[..length].to_vec())).is_err() {
            return;
        }
    }
}

/// Passes on the first lines, and reads the rest so that the command does not block.
fn pass_lines(stderr: impl Read, said: &Sender<Said>) {
    let mut stderr = BufReader::new(stderr);
    let (mut line, mut lines) = (Vec::new(), 0);
    while let Ok(1..) = stderr.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        line.clear();
        if text.is_empty() || lines == MAX_LINES {
            continue;
        }
        lines += 1;
        if said.send(Said::Line(text)).is_err() {
            return;
        }
    }
}

/// Without the arguments, which may hold a secret, and the tokens.
impl fmt::Debug for TokenCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenCommand").field(&self.name()).finish()
    }
}

impl PartialEq for TokenCommand {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

// The commands of Unix.
#[cfg(test)]
#[cfg(unix)]
mod tests;
