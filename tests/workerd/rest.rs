//! The REST layout as a test asks it: plain HTTP/1.1 on loopback, with nothing of the crate's own client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub value: Vec<u8>,
    /// In seconds since the Unix epoch.
    pub expiration: Option<u64>,
    pub metadata: Value,
}

/// One namespace, seen past the program that is tested.
pub struct Rest {
    /// `host:port`.
    address: String,
    /// The path of the namespace.
    path: String,
    namespace: &'static str,
    token: &'static str,
}

/// An answer, whole.
pub struct Answered {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answered {
    /// The value of a header, whose name is in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        let Self { head, body, .. } = self;
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {head}\n{}", body.escape_ascii()))
    }
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
        pairs.chunks(10_000).for_each(|pairs| self.put_bulk(&serde_json::to_string(pairs).expect("JSON")));
    }

    /// Stores what an array holds as `wrangler kv bulk put` takes it.
    pub fn put_bulk(&self, array: &str) {
        let answer = self.ask("PUT", "/bulk", array).json();
        assert_eq!(answer["success"], true, "{answer}");
    }

    /// What a key holds.
    pub fn held(&self, name: &str) -> Held {
        let name = name.bytes().fold(String::new(), |name, byte| format!("{name}%{byte:02X}"));
        let value = self.ask("GET", &format!("/values/{name}"), "");
        assert_eq!(value.status, 200, "{}", value.head);
        let expiration = value.header("expiration").and_then(|seconds| seconds.parse().ok());
        let metadata = self.ask("GET", &format!("/metadata/{name}"), "").json()["result"].take();
        Held { value: value.body, expiration, metadata }
    }

    /// All names, page by page, sorted by their bytes.
    pub fn names(&self) -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.ask("GET", &format!("/keys?limit=1000&cursor={cursor}"), "").json();
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
        let path = format!("/requests/{}", self.namespace);
        self.fetch("GET", &path, "application/json", b"").json().as_u64().expect("a number")
    }

    /// What is answered to JSON under the path of the namespace.
    fn ask(&self, method: &str, rest: &str, body: &str) -> Answered {
        self.send(method, rest, "application/json", body.as_bytes())
    }

    /// What is answered to any request under the path of the namespace, which is taken as it is.
    pub fn send(&self, method: &str, rest: &str, content_type: &str, body: &[u8]) -> Answered {
        self.fetch(method, &format!("{}{rest}", self.path), content_type, body)
    }

    fn fetch(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Answered {
        let mut stream = TcpStream::connect(&self.address).expect("the server is there");
        let (host, token, length) = (&self.address, self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("a request is sent");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).expect("an answer"), 0, "{head}");
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut answered = Answered { status, head, body: Vec::new() };
        // Not to the end of the connection, which workerd keeps open for five more seconds.
        answered.body = match answered.header("content-length") {
            Some(length) => exactly(&mut stream, length.parse().expect("a length")),
            None => unchunked(&mut stream),
        };
        answered
    }
}

fn exactly(stream: &mut impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("as many bytes as were announced");
    bytes
}

fn unchunked(stream: &mut impl BufRead) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).expect("the size of a chunk");
        let size = usize::from_str_radix(size.trim_end(), 16).expect("the size of a chunk");
        whole.append(&mut exactly(stream, size));
        exactly(stream, 2);
        if size == 0 {
            return whole;
        }
    }
}
