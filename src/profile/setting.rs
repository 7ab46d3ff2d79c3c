//! What a profile may say: every setting, named as its flag, and what its value may look like.
//!
//! `yes`, `overwrite`, `resume`, `dry-run` and whatever names keys are not among them: a file must not agree to a
//! deletion, and must not choose what is deleted. What bounds a deletion is.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub name: &'static str,
    pub(super) kind: Kind,
}

/// What a value may look like in the file. What it means is known to the flag of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Number,
    /// A whole number, or a string such as `5%`.
    NumberOrText,
    /// `true` or `false`.
    Switch,
    /// `true`, `false` or a whole number.
    SwitchOrNumber,
    /// A path; a relative one begins at the file's folder.
    Path,
    Template,
}

impl Kind {
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "a string or an array of strings",
            Self::Number => "a whole number",
            Self::NumberOrText => "a whole number or a string",
            Self::Switch => "true or false",
            Self::SwitchOrNumber => "true, false or a whole number",
            Self::Path | Self::Template => "a path as a string",
        }
    }
}

/// Every setting, in the order in which they are shown.
pub(crate) const SETTINGS: [Setting; 31] = [
    Setting { name: "account-id", kind: Kind::Text },
    Setting { name: "namespace-id", kind: Kind::Text },
    Setting { name: "namespace", kind: Kind::Text },
    Setting { name: "binding", kind: Kind::Text },
    Setting { name: "env", kind: Kind::Text },
    Setting { name: "api-token-file", kind: Kind::Path },
    Setting { name: "api-token-command", kind: Kind::Text },
    Setting { name: "base-url", kind: Kind::Text },
    Setting { name: "cacert", kind: Kind::Path },
    Setting { name: "protect", kind: Kind::Texts },
    Setting { name: "protect-from", kind: Kind::Path },
    Setting { name: "only", kind: Kind::Texts },
    Setting { name: "max-keys", kind: Kind::Number },
    Setting { name: "min-keys", kind: Kind::Number },
    Setting { name: "allow-partial", kind: Kind::Switch },
    Setting { name: "max-failures", kind: Kind::NumberOrText },
    Setting { name: "canary", kind: Kind::Number },
    Setting { name: "rate", kind: Kind::Texts },
    Setting { name: "retries", kind: Kind::Number },
    Setting { name: "timeout", kind: Kind::Text },
    Setting { name: "max-wait", kind: Kind::Text },
    Setting { name: "deadline", kind: Kind::Text },
    Setting { name: "grace", kind: Kind::Text },
    Setting { name: "concurrency", kind: Kind::Number },
    Setting { name: "bulk", kind: Kind::SwitchOrNumber },
    Setting { name: "report", kind: Kind::Template },
    Setting { name: "failures", kind: Kind::Template },
    Setting { name: "backup", kind: Kind::Template },
    Setting { name: "sync", kind: Kind::Text },
    Setting { name: "progress", kind: Kind::Text },
    Setting { name: "log-format", kind: Kind::Text },
];

/// The three ways to name a namespace; a profile has at most one of them.
pub(crate) const NAMESPACE: [&str; 3] = ["namespace-id", "namespace", "binding"];

/// The two ways to give the API token; a profile has at most one of them.
pub(crate) const TOKEN: [&str; 2] = ["api-token-file", "api-token-command"];

/// What keeps keys from being deleted: it adds to the flags of the same names, and none of them lifts it.
pub(crate) const PROTECTION_KEYS: [&str; 3] = ["protect", "protect-from", "only"];

/// Where credentials are sent, who is trusted there, and what is run: only from a file that is the user's own or was
/// named.
pub(super) const TRUSTED_ONLY_KEYS: [&str; 3] = ["api-token-command", "base-url", "cacert"];

impl Setting {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }
}

/// Whether a key looks as if its value were a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    let word = |word: &str| key.split('-').any(|part| part == word);
    Setting::named(&key).is_none()
        && ["token", "secret", "password", "key", "apikey", "apitoken", "email", "credentials", "bearer"]
            .into_iter()
            .any(word)
}

/// Cloudflare's tokens are of 40 characters and more, its keys of 37.
const MIN_TOKEN: usize = 32;

/// Whether a path or a command is rather a token that was put in its place: nobody calls a file so.
pub(super) fn is_token(text: &str) -> bool {
    text.len() >= MIN_TOKEN && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in ["api-token", "token", "CLOUDFLARE_API_TOKEN", "api_key", "key", "email", "X-Auth-Key", "secret"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["api-token-file", "api-token-command", "account-id", "keys", "monkey", "rate"] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn a_token_is_no_path() {
        assert!(is_token("aBcDeFgHiJkLmNoPqRsTuVwXyZ-0123456789_ab"));
        for path in ["token", "/run/credentials/kvsweep.service/token-of-production", "cloudflare-token.txt", ""] {
            assert!(!is_token(path), "{path}");
        }
    }

    #[test]
    fn groups_name_settings() {
        for name in NAMESPACE.iter().chain(&TOKEN).chain(&PROTECTION_KEYS).chain(&TRUSTED_ONLY_KEYS) {
            assert!(Setting::named(name).is_some(), "{name}");
        }
    }
}
