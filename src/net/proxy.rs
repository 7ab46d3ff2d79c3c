//! Which proxy a connection goes through, as the environment says (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, and
//! the same in lower case). The HTTP library reads them too, but goes out directly if it cannot use a value.

use std::env;
use std::ffi::OsString;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use thiserror::Error;

use super::Peer;

/// A proxy is set and cannot be used. Never holds the value: it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{variable} is not a usable proxy: {reason}\nhint: set {variable} to a URL such as http://proxy.example:3128, unset it, or \
     add {host} to NO_PROXY"
)]
pub struct ProxyError {
    /// The environment variable.
    variable: &'static str,
    /// Why its value cannot be used.
    reason: String,
    /// The host that would be reached through it.
    host: String,
}

/// The proxy for requests to `peer`; none on this machine, for a host in `NO_PROXY`, or if no variable is set.
///
/// # Errors
/// [`ProxyError`] if the variable that applies cannot be used.
pub(crate) fn for_peer(peer: &Peer) -> Result<Option<Url>, ProxyError> {
    find(peer, env::var_os)
}

fn find(peer: &Peer, variable: impl Fn(&'static str) -> Option<OsString>) -> Result<Option<Url>, ProxyError> {
    if peer.is_loopback {
        return Ok(None);
    }
    let first_set = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
    let own = if !peer.is_plain {
        first_set(["HTTPS_PROXY", "https_proxy"])
    } else if variable("REQUEST_METHOD").is_some() {
        // In a CGI program HTTP_PROXY is the `Proxy` header of whoever sent the request (https://httpoxy.org).
        first_set(["http_proxy", "http_proxy"])
    } else {
        first_set(["HTTP_PROXY", "http_proxy"])
    };
    let is_blank = |value: &OsString| value.to_string_lossy().trim().is_empty();
    let set = own.filter(|(_, value)| !is_blank(value)).or_else(|| first_set(["ALL_PROXY", "all_proxy"]));
    let Some((name, value)) = set.filter(|(_, value)| !is_blank(value)) else { return Ok(None) };
    let excluded = first_set(["NO_PROXY", "no_proxy"]).map(|(_, list)| list.to_string_lossy().into_owned());
    let target = peer.uri();
    // Whether an entry covers the host is decided by the library that would go through the proxy.
    let passes = |proxy: &str, excluded: &str| {
        let matcher = Matcher::builder().all(proxy).no(excluded).build();
        target.as_ref().is_some_and(|target| matcher.intercept(target).is_some())
    };
    if !passes("http://proxy.invalid", &excluded.unwrap_or_default()) {
        return Ok(None);
    }
    let unusable = |reason: String| ProxyError { variable: name, reason, host: peer.host().to_owned() };
    let url = parse(&value).map_err(unusable)?;
    // reqwest hands it to the same library, which would leave an unreadable one out.
    if !passes(url.as_str(), "") {
        return Err(unusable("it is not a URL of a proxy".to_owned()));
    }
    Ok(Some(url))
}

/// As curl reads it: without a scheme it is `http`.
fn parse(value: &OsString) -> Result<Url, String> {
    let text = value.to_str().ok_or("it is not UTF-8")?.trim();
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    let url = url.map_err(|error| format!("it is not a URL ({error})"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "http" | "https" => Err("it names no host".to_owned()),
        scheme => Err(format!("its scheme is {scheme}, and only http and https proxies are supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2";

    fn found(peer: &Peer, variables: &[(&str, &str)]) -> Result<Option<String>, ProxyError> {
        let variable = |name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value));
        find(peer, variable).map(|url| url.map(String::from))
    }

    #[test]
    fn the_variable_that_applies_is_used() {
        let (https, http) = (Peer::new("api.example.com", false), Peer::new("hc.lan", true));
        let (one, two) = ("http://one:1/", "http://two:2/");
        for (peer, variables, wanted) in [
            (&https, &[("HTTPS_PROXY", one), ("https_proxy", two)][..], Some(one)),
            (&https, &[("https_proxy", two), ("ALL_PROXY", one)], Some(two)),
            (&https, &[("all_proxy", two), ("HTTP_PROXY", one)], Some(two)),
            (&https, &[("HTTPS_PROXY", ""), ("https_proxy", one), ("ALL_PROXY", two)], Some(two)),
            (&https, &[("HTTPS_PROXY", " ")], None),
            (&https, &[("HTTP_PROXY", one)], None),
            (&https, &[("https_proxy", "one:1")], Some(one)),
            (&https, &[("HTTPS_PROXY", "https://u:p%40@one:1/")], Some("https://u:p%40@one:1/")),
            (&https, &[("HTTPS_PROXY", one), ("NO_PROXY", "other, .Example.com")], None),
            (&https, &[("HTTPS_PROXY", one), ("NO_PROXY", "other"), ("no_proxy", "*")], Some(one)),
            (&https, &[("HTTPS_PROXY", one), ("REQUEST_METHOD", "GET")], Some(one)),
            (&http, &[("HTTP_PROXY", one), ("HTTPS_PROXY", two)], Some(one)),
            (&http, &[("HTTP_PROXY", one), ("REQUEST_METHOD", "GET")], None),
            (&http, &[("HTTP_PROXY", one), ("http_proxy", two), ("REQUEST_METHOD", "GET")], Some(two)),
            (&Peer::new("[2001:db8::1]", false), &[("HTTPS_PROXY", one), ("NO_PROXY", "2001:db8::/32")], None),
            (&Peer::new("10.1.2.3", false), &[("HTTPS_PROXY", one)], Some(one)),
            (&Peer::new("127.0.0.1", true), &[("HTTP_PROXY", "socks5://x"), ("ALL_PROXY", one)], None),
        ] {
            assert_eq!(found(peer, variables), Ok(wanted.map(str::to_owned)), "{variables:?}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused_by_name_and_not_repeated() {
        let peer = Peer::new("api.example.com", false);
        for (value, reason) in [
            ("socks5://u:hunter2@proxy:1080", "its scheme is socks5,"),
            ("socks5h://hunter2", "its scheme is socks5h,"),
            ("ftp://hunter2", "its scheme is ftp,"),
            ("http://u:hunter2@", "it is not a URL"),
            ("http://u:hunter2@proxy:99999", "it is not a URL"),
            ("http://hunter2 proxy", "it is not a URL"),
            ("http:// hunter2", "it is not a URL"),
            ("://hunter2", "it is not a URL"),
            ("/hunter2 x", "it is not a URL"),
        ] {
            for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                let error = found(&peer, &[(name, value)]).unwrap_err();
                let text = error.to_string();
                assert!(text.starts_with(&format!("{name} is not a usable proxy: {reason}")), "{value}: {text}");
                assert!(!format!("{text} {error:?}").contains(SECRET), "{error:?}");
                // What does not apply does not matter.
                assert_eq!(found(&peer, &[(name, value), ("NO_PROXY", "example.com")]), Ok(None));
            }
            // One that cannot be used is not replaced by another.
            assert!(found(&peer, &[("HTTPS_PROXY", value), ("ALL_PROXY", "http://proxy")]).is_err());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let variable = |name| (name == "HTTPS_PROXY").then(|| OsString::from_vec(b"http://\xff".to_vec()));
        assert!(find(&Peer::new("api.example.com", false), variable).unwrap_err().to_string().contains("not UTF-8"));
    }
}
