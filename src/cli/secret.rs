//! Flags that people try, and that must not be: a secret on a command line is seen by `ps` and kept by the shell.
//!
//! They are hidden, and always an error that says what to do instead and never repeats the value.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Error};

/// Flags that always fail.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct RefusedSecret {
    /// Refused.
    #[arg(long, aliases = ["token", "api-key", "key"], hide = true, num_args = 0..=1, require_equals = false)]
    #[arg(default_missing_value = "", value_parser = Refuse)]
    api_token: Option<Never>,
}

/// No value is ever made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Never {}

/// Refuses every value.
#[derive(Clone)]
struct Refuse;

impl TypedValueParser for Refuse {
    type Value = Never;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, _: &OsStr) -> Result<Never, Error> {
        let message = "no flag takes a secret, because others can read a command line\n\n  \
            tip: set CLOUDFLARE_API_TOKEN (or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY), or pass --api-token-file PATH\n";
        Err(Error::raw(ErrorKind::UnknownArgument, message).with_cmd(command))
    }
}
