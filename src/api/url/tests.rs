use proptest::prelude::*;

use super::*;

fn base(text: &str) -> Result<BaseUrl, BaseUrlError> {
    text.parse()
}

fn urls() -> Urls {
    let base = base(BaseUrl::CLOUDFLARE).unwrap();
    Urls::new(&base, &"acc".parse().unwrap(), &"ns".parse().unwrap()).unwrap()
}

const NAMESPACE: &str = "https://api.cloudflare.com/client/v4/accounts/acc/storage/kv/namespaces/ns";

#[test]
fn what_belongs_to_an_account_or_a_user_has_its_own_urls() {
    let site = base(BaseUrl::CLOUDFLARE).unwrap();
    let (account, token): (AccountId, _) = ("acc".parse().unwrap(), "tok".parse().unwrap());
    let owner = Owner::Account(account.clone());
    for (url, path) in [
        (site.namespaces(&account, 2, 100), "/accounts/acc/storage/kv/namespaces?page=2&per_page=100"),
        (site.verify(&Owner::User), "/user/tokens/verify"),
        (site.verify(&owner), "/accounts/acc/tokens/verify"),
        (site.token(&Owner::User, &token), "/user/tokens/tok"),
        (site.token(&owner, &token), "/accounts/acc/tokens/tok"),
        (site.user(), "/user"),
    ] {
        assert_eq!(url.unwrap().as_str(), format!("{}{path}", BaseUrl::CLOUDFLARE));
    }
}

#[test]
fn base_urls_are_read_and_shown() {
    for (text, shown) in [
        (BaseUrl::CLOUDFLARE, BaseUrl::CLOUDFLARE),
        ("https://api.cloudflare.com/client/v4///", BaseUrl::CLOUDFLARE),
        ("HTTPS://API.cloudflare.com:443/client/v4", BaseUrl::CLOUDFLARE),
        ("https://gateway.example:8443", "https://gateway.example:8443"),
        ("http://127.0.0.1:8787/client/v4", "http://127.0.0.1:8787/client/v4"),
        ("http://127.9.9.9/", "http://127.9.9.9"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("http://LocalHost:1", "http://localhost:1"),
    ] {
        assert_eq!(base(text).map(|url| url.to_string()), Ok(shown.to_owned()), "{text}");
    }
}

#[test]
fn only_this_machine_is_spoken_to_without_tls() {
    for text in [
        "http://api.cloudflare.com/client/v4",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://localhost.example",
        "http://127.0.0.1.example",
    ] {
        assert!(matches!(base(text), Err(BaseUrlError::PlainHttp(_))), "{text}");
    }
    assert!(base("https://127.0.0.1").unwrap().is_loopback());
    assert!(!base(BaseUrl::CLOUDFLARE).unwrap().is_loopback());
}

#[test]
fn what_could_change_a_request_is_refused() {
    use BaseUrlError as E;
    let path = |path: &str| Err(E::Path(path.to_owned()));
    for (text, wanted) in [
        ("https://u@h", Err(E::UserInfo)),
        ("https://u:hunter2@h/client", Err(E::UserInfo)),
        ("https://:hunter2@h/client", Err(E::UserInfo)),
        ("https://h/?", Err(E::QueryOrFragment)),
        ("https://h/a#b", Err(E::QueryOrFragment)),
        ("ftp://h/a", Err(E::Scheme("ftp".into()))),
        ("file:///etc", Err(E::Scheme("file".into()))),
        ("https://h/a/../b", path("/b")),
        ("https://h/a/%2e%2e/b", path("/b")),
        ("https://h/./b", path("/b")),
        ("https://h/a b", path("/a%20b")),
        ("https://h/ä", path("/%C3%A4")),
        ("https://h\\a", path("/a")),
        ("https://h/a\\b", path("/a/b")),
        ("https://h/a\tb", path("/ab")),
        ("https://h/a\n", path("/a")),
        ("https:///h/a", path("/a")),
    ] {
        assert_eq!(base(text), wanted, "{text}");
    }
    for text in ["", "api.cloudflare.com/client/v4", "https://", "https:h/a", "https://h:99999"] {
        assert!(matches!(base(text), Err(E::Unreadable(_))), "{text}: {:?}", base(text));
    }
    assert!(!base("https://u:hunter2@h").unwrap_err().to_string().contains("hunter2"));
    assert!(!base("https://u:hunter2@:1").unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn urls_are_those_of_the_contract() {
    let key = KeyName::new("a/b ü?").unwrap();
    assert_eq!(urls().namespace().unwrap().as_str(), NAMESPACE);
    assert_eq!(urls().value(&key).unwrap().as_str(), format!("{NAMESPACE}/values/a%2Fb%20%C3%BC%3F"));
}

#[test]
fn a_url_that_is_not_itself_is_refused() {
    for tail in ["..", ".", "%2e%2e", ".%2E", "a/../b", "a?b", "a#b", "a\tb", "a b", "a\\..\\b", "ü"] {
        assert!(urls().base.exactly(&format!("/values/{tail}"), None).is_err(), "{tail}");
    }
    let refused = urls().base.exactly("/values/..", None).unwrap_err().to_string();
    assert!(refused.contains("into `/client/v4/accounts/acc/storage/kv/namespaces/ns/`"), "{refused}");
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "..", ".", "%2e", "%2E", "/", "\\", "?", "#", "\t", "\r\n", "\0", "%", ";", "@", ":"
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn every_key_gets_exactly_its_own_url(name in hostile()) {
        if let Ok(key) = KeyName::new(name.as_str()) {
            let url = urls().value(&key).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(&segments[..8], ["client", "v4", "accounts", "acc", "storage", "kv", "namespaces", "ns"]);
            prop_assert_eq!(segments[8], "values");
            prop_assert_eq!(segments.len(), 10);
            let mut own = String::new();
            key.push_segment(&mut own);
            prop_assert_eq!(segments[9], own);
        }
    }

    #[test]
    fn whatever_is_sent_stays_below_the_namespace(tail in hostile()) {
        if let Ok(url) = urls().base.exactly(&format!("/values/{tail}"), None) {
            prop_assert_eq!(url.as_str(), format!("{NAMESPACE}/values/{tail}"));
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }

    #[test]
    fn a_base_url_is_read_as_it_is_shown(text in "https?://[a-z0-9@:.\\[\\]-]{1,12}[/.%?#\\\\a-z ]{0,12}") {
        if let Ok(url) = base(&text) {
            prop_assert_eq!(base(&url.to_string()), Ok(url));
        }
    }
}

#[test]
fn a_page_is_asked_for_with_every_awkward_byte_encoded() {
    let keys = |prefix, cursor| urls().keys(prefix, 1_000, cursor).unwrap().to_string();
    assert_eq!(keys("", None), format!("{NAMESPACE}/keys?limit=1000"));
    assert_eq!(keys("a b&c=#/+é", Some("x+/=")), {
        format!("{NAMESPACE}/keys?limit=1000&prefix=a%20b%26c%3D%23%2F%2B%C3%A9&cursor=x%2B%2F%3D")
    });
    assert_eq!(keys("..", Some("'\"<>\t\n")), {
        format!("{NAMESPACE}/keys?limit=1000&prefix=..&cursor=%27%22%3C%3E%09%0A")
    });
}

proptest! {
    #[test]
    fn no_prefix_and_no_cursor_changes_anything_else(prefix: String, cursor: String) {
        let url = urls().keys(&prefix, 1_000, Some(&cursor)).unwrap();
        prop_assert_eq!(url.path(), format!("{}/keys", &NAMESPACE["https://api.cloudflare.com".len()..]));
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let mut wanted = vec![("limit".to_owned(), "1000".to_owned())];
        wanted.extend([("prefix", prefix), ("cursor", cursor)].into_iter()
            .filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)));
        prop_assert_eq!(pairs, wanted);
    }
}
