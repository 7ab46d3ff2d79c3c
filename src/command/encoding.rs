//! Namespaces that do not decode URLs: a key that has to be encoded would name another key there, so it is never put into
//! a URL.

use crate::api::Namespace;
use crate::key::KeyName;
use crate::pipeline::KeyAction;
use crate::record::{Content, Invalid, Record};
use crate::terminal::{Escaped, pluralized};

use super::error::Error;
use super::job::DeleteJob;

/// Whether `namespace` decodes the names of keys in URLs.
pub(super) fn is_supported(namespace: &Namespace) -> bool {
    namespace.supports_url_encoding != Some(false)
}

/// Nothing is sent if one of the keys would have to be encoded.
pub(super) fn check(namespace: &Namespace, keys: u64, first: Option<&KeyName>, hint: &str) -> Result<(), Error> {
    let Some(first) = first.filter(|_| !is_supported(namespace)) else { return Ok(()) };
    Err(Error::Usage(format!(
        "the namespace {} does not support URL encoding, which {} would need (the first one is {first:?}): nothing was \
         sent\nhint: {hint}",
        Escaped(&namespace.title),
        pluralized(keys, "key"),
    )))
}

/// What to do about such keys.
pub(super) fn hint(job: &DeleteJob) -> &'static str {
    match job.key_action() {
        KeyAction::Delete => "pass --bulk, which puts no key into a URL",
        KeyAction::CheckThenDelete => "pass --bulk and leave out --check, which puts keys into URLs",
        KeyAction::BackUpThenDelete => "pass --bulk and leave out --backup, which puts keys into URLs",
        KeyAction::Check => "leave out --check, which puts keys into URLs",
    }
}

/// Makes a record invalid whose key has to be encoded.
pub(super) fn refuse(record: &mut Record) {
    if let Content::Key(key) = &record.content
        && key.needs_encoding()
    {
        let rule = "the key needs URL encoding, which the namespace does not support; --bulk deletes it";
        let key = key.as_str().to_owned();
        record.content = Content::Invalid(Box::new(Invalid { key, rule: rule.into(), reason: rule.to_owned() }));
    }
}
