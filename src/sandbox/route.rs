//! From a path on the wire to the call that it names.

use super::answer::{MALFORMED, Problem};
use hyper::StatusCode;

/// The longest key in bytes (developers.cloudflare.com/kv/platform/limits).
const MAX_KEY_BYTES: usize = 512;

pub(super) const PREFIX: &str = "/client/v4";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Value(String),
    Metadata(String),
    Keys,
    /// `bulk`: writing many, and the old way of deleting many.
    Bulk,
    BulkDelete,
    BulkGet,
    Namespace,
    Namespaces,
    Accounts,
    WorkerSettings(String),
    /// `tokens/verify` of the user or of an account.
    VerifyToken,
    /// `tokens/{id}` of the user or of an account.
    Token(String),
    User,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The account, but for what belongs to a user.
    pub(super) account: Option<&'a str>,
    /// The namespace, where one is named.
    pub(super) namespace: Option<&'a str>,
    pub(super) route: Route,
}

impl<'a> Target<'a> {
    /// Reads a raw path the way the real edge does: dot segments are folded away first, encoded ones included, so
    /// that `…/namespaces/ID/values/..` is the namespace itself. A slash at the end means nothing. `decodes` is the
    /// namespace's `supports_url_encoding`.
    pub(super) fn parse(path: &'a str, decodes: bool) -> Result<Self, Problem> {
        let below = path.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/'));
        let mut segments = folded(below.ok_or_else(Problem::no_route)?);
        let ends_open = segments.last().is_some_and(|last| last.is_empty());
        // `values/` names the empty key; elsewhere the slash is only a habit.
        if ends_open && !matches!(segments[..], [.., "values" | "metadata", _]) {
            segments.pop();
        }
        let (account, namespace, route) = match segments[..] {
            ["accounts"] => (None, None, Route::Accounts),
            ["accounts", account, "workers", "scripts", name, "settings"] => {
                (Some(account), None, Route::WorkerSettings(name.to_owned()))
            }
            ["user"] => (None, None, Route::User),
            ["user", "tokens", "verify"] => (None, None, Route::VerifyToken),
            ["user", "tokens", id] => (None, None, Route::Token(id.to_owned())),
            ["accounts", account, "tokens", "verify"] => (Some(account), None, Route::VerifyToken),
            ["accounts", account, "tokens", id] => (Some(account), None, Route::Token(id.to_owned())),
            ["accounts", account, "storage", "kv", "namespaces"] => (Some(account), None, Route::Namespaces),
            ["accounts", account, "storage", "kv", "namespaces", namespace, ref rest @ ..] => {
                let route = match *rest {
                    [] => Route::Namespace,
                    ["keys"] => Route::Keys,
                    ["bulk"] => Route::Bulk,
                    ["bulk", "delete"] => Route::BulkDelete,
                    ["bulk", "get"] => Route::BulkGet,
                    ["values", key] => Route::Value(key_name(key, decodes)?),
                    ["metadata", key] => Route::Metadata(key_name(key, decodes)?),
                    _ => return Err(Problem::no_route()),
                };
                (Some(account), Some(namespace), route)
            }
            _ => return Err(Problem::no_route()),
        };
        if [account, namespace].into_iter().flatten().all(is_id) {
            Ok(Self { account, namespace, route })
        } else {
            Err(Problem::could_not_route(path.strip_prefix(PREFIX).unwrap_or(path)))
        }
    }

    pub(super) fn key(&self) -> Option<&str> {
        match &self.route {
            Route::Value(key) | Route::Metadata(key) => Some(key),
            _ => None,
        }
    }

    /// Whether it touches keys rather than what holds them.
    pub(super) fn is_data(&self) -> bool {
        self.namespace.is_some() && self.route != Route::Namespace
    }
}

/// Splits at slashes, then lets dot segments do what RFC 3986 5.2.4 says. As in the URL standard `%2e` is a dot, and
/// a path that ends in a dot segment ends in a slash.
fn folded(path: &str) -> Vec<&str> {
    let mut segments = Vec::with_capacity(8);
    let mut ends_open = false;
    for segment in path.split('/') {
        let dots = dots(segment);
        match dots {
            Some(1) => {}
            Some(_) => drop(segments.pop()),
            None => segments.push(segment),
        }
        ends_open = dots.is_some();
    }
    if ends_open {
        segments.push("");
    }
    segments
}

/// 1 or 2 for a segment of so many dots.
fn dots(segment: &str) -> Option<usize> {
    if segment.len() > 6 || !segment.starts_with(['.', '%']) {
        return None;
    }
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(plain.as_str(), "." | "..").then_some(plain.len())
}

/// At most 32 characters of `[0-9A-Za-z_-]`.
fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Decodes the segment, if the namespace does, and refuses what cannot be a key.
fn key_name(segment: &str, decodes: bool) -> Result<String, Problem> {
    let name = if decodes { decoded(segment) } else { segment.to_owned() };
    check_key(&name)?;
    Ok(name)
}

/// Runs of `%XX` become the text that they are in UTF-8; what is none stays as it is, as everything else does. A name
/// is text: Cloudflare's local API reads a path so (`tryDecode` in miniflare 5's explorer), and refuses none.
fn decoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some(start) = rest.find('%') {
        let (plain, encoded) = rest.split_at(start);
        out.push_str(plain);
        let bytes: Vec<u8> = encoded.as_bytes().chunks_exact(3).map_while(encoded_byte).collect();
        // Without a pair, the `%` alone.
        let (run, behind) = encoded.split_at((bytes.len() * 3).max(1));
        match String::from_utf8(bytes) {
            Ok(text) if !text.is_empty() => out.push_str(&text),
            _ => out.push_str(run),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn encoded_byte(triple: &[u8]) -> Option<u8> {
    let &[b'%', high, low] = triple else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Refuses the names that the service refuses: empty, `.`, `..` (400) and those over 512 bytes (414).
pub(super) fn check_key(name: &str) -> Result<(), Problem> {
    match name {
        "" => Err(Problem::malformed("Key name cannot be empty.")),
        "." | ".." => Err(Problem::malformed(format!("\"{name}\" is not allowed as a key name."))),
        _ => check_length(name),
    }
}

/// Refuses names, and beginnings of names, over 512 bytes (414).
pub(super) fn check_length(name: &str) -> Result<(), Problem> {
    if name.len() <= MAX_KEY_BYTES {
        return Ok(());
    }
    let message = format!("UTF-8 encoded length of {} exceeds key length limit of {MAX_KEY_BYTES}.", name.len());
    Err(Problem::new(StatusCode::URI_TOO_LONG, MALFORMED, message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMESPACE: &str = "/client/v4/accounts/acc/storage/kv/namespaces/ns";

    fn route(rest: &str) -> Result<Route, (u16, u64)> {
        Target::parse(&format!("{NAMESPACE}{rest}"), true)
            .map(|target| target.route)
            .map_err(|problem| (problem.status.as_u16(), problem.code))
    }

    #[test]
    fn paths_name_calls() {
        let value = |key: &str| Ok(Route::Value(key.to_owned()));
        let nowhere = Err((404, 7000));
        for (rest, expected) in [
            ("", Ok(Route::Namespace)),
            ("/", Ok(Route::Namespace)),
            ("/keys", Ok(Route::Keys)),
            ("/bulk", Ok(Route::Bulk)),
            ("/bulk/delete", Ok(Route::BulkDelete)),
            ("/bulk/get", Ok(Route::BulkGet)),
            ("/values/a", value("a")),
            ("/values/a%2Fb%2fc", value("a/b/c")),
            ("/values/%252e%252e", value("%2e%2e")),
            ("/values/a+b%20c%00%0A%09", value("a+b c\0\n\t")),
            ("/values/%F0%9F%94%91", value("🔑")),
            ("/values/100%", value("100%")),
            ("/values/%zz", value("%zz")),
            ("/values/...", value("...")),
            ("/values/.a", value(".a")),
            ("/metadata/a", Ok(Route::Metadata("a".into()))),
            ("/values/%ff", value("%ff")),
            ("/values/%c3%28%20-%c3%a9", value("%c3%28%20-é")),
            ("/values/é%F0%9F%94", value("é%F0%9F%94")),
            ("/values/%", value("%")),
            ("/values/%4", value("%4")),
            ("/values/%41%4", value("A%4")),
            ("/values/", Err((400, MALFORMED))),
            ("/values/a/b", nowhere.clone()),
            ("/values", nowhere.clone()),
            ("/bulk/other", nowhere),
        ] {
            assert_eq!(route(rest), expected, "{rest}");
        }
    }

    #[test]
    fn a_dot_segment_is_the_namespace_itself() {
        for dots in ["..", "%2e%2e", "%2E.", ".%2e"] {
            assert_eq!(route(&format!("/values/{dots}")), Ok(Route::Namespace), "{dots}");
        }
        assert_eq!(route("/values/./a"), Ok(Route::Value("a".into())));
        // A single dot leaves `values/`, whose key is empty.
        assert_eq!(route("/values/%2e"), Err((400, MALFORMED)));
        assert_eq!(route("/values/../../.."), Err((404, 7000)));
    }

    #[test]
    fn ids_that_cannot_be_are_not_routed() {
        for id in ["", "a.b", "a%20b", &"x".repeat(33)] {
            for path in [
                format!("/client/v4/accounts/{id}/storage/kv/namespaces/ns/values/k"),
                format!("/client/v4/accounts/acc/storage/kv/namespaces/{id}/values/k"),
            ] {
                assert_eq!(Target::parse(&path, true).unwrap_err().code, 7003, "{path}");
            }
        }
        for path in ["/", "/client/v4", "/client/v4x/user/tokens/verify", "/client/v4/zones"] {
            assert_eq!(Target::parse(path, true).unwrap_err().code, 7000, "{path}");
        }
    }

    #[test]
    fn keys_may_have_512_bytes() {
        assert_eq!(check_key(&"é".repeat(256)), Ok(()));
        assert_eq!(check_key(&"x".repeat(513)).unwrap_err().status, StatusCode::URI_TOO_LONG);
    }

    proptest! {
        #[test]
        fn what_was_encoded_byte_by_byte_is_decoded(name in "\\PC{1,60}|[\\x00-\\x7f]{1,60}") {
            prop_assume!(name != "." && name != "..");
            let encoded = crate::sandbox::tests::encoded(&name);
            prop_assert_eq!(route(&format!("/values/{encoded}")), Ok(Route::Value(name)));
        }

        #[test]
        fn no_path_upsets_the_parser(path in "(/client/v4/accounts/a/storage/kv/namespaces/n)?[/.%2eE0-9a\u{e9}]{0,20}") {
            if let Ok(target) = Target::parse(&path, true) {
                prop_assert!(target.key().is_none_or(|key| check_key(key).is_ok()));
            }
        }
    }
}
