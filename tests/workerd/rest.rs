//! The REST layout as a test asks it: plain HTTP/1.1 on loopback, with nothing of the crate's own client.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

/// One namespace, seen past the program that is tested.
pub struct Rest {
    /// `host:port`.
    address: String,
    /// The path of the namespace.
    path: String,
    namespace: &'static str,
    token: &'static str,
}

impl Rest {
    pub fn new(base_url: &str, account: &str, namespace: &'static str, token: &'static str) -> Self {
        let (address, base) = base_url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .unwrap_or_else(|| panic!("{base_url} is no address on loopback"));
        let path = format!("/{base}/accounts/{account}/storage/kv/namespaces/{namespace}");
        Self { address: address.to_owned(), path, namespace, token }
    }

    /// Stores the names, each with a small value.
    pub fn put<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) {
        let pairs: Vec<Value> = names.into_iter().map(|name| json!({"key": name.as_ref(), "value": "v"})).collect();
        for pairs in pairs.chunks(10_000) {
            let answer = self.ask("PUT", &format!("{}/bulk", self.path), &serde_json::to_string(pairs).expect("JSON"));
            assert_eq!(answer["success"], true, "{answer}");
        }
    }

    /// All names, page by page, sorted by their bytes.
    pub fn names(&self) -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.ask("GET", &format!("{}/keys?limit=1000&cursor={cursor}", self.path), "");
            let keys = page["result"].as_array().unwrap_or_else(|| panic!("{page}"));
            names.extend(keys.iter().map(|key| key["name"].as_str().expect("a name").to_owned()));
            page["result_info"]["cursor"].as_str().expect("a cursor").clone_into(&mut cursor);
            if cursor.is_empty() {
                names.sort();
                return names;
            }
            cursor = cursor.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        }
    }

    /// How many requests the Worker has seen that named this namespace, those of this type among them.
    pub fn requests(&self) -> u64 {
        self.ask("GET", &format!("/requests/{}", self.namespace), "").as_u64().expect("a number")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("workerd is there");
        let (host, token, length) = (&self.address, self.token, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("a request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            unchunked(body)
        } else {
            body.to_owned()
        };
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
