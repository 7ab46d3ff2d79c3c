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
        let answer = self.ask("PUT", &format!("{}/bulk", self.path), array);
        assert_eq!(answer["success"], true, "{answer}");
    }

    /// What a key holds.
    pub fn held(&self, name: &str) -> Held {
        let name = name.bytes().fold(String::new(), |name, byte| format!("{name}%{byte:02X}"));
        let (head, value) = self.fetch("GET", &format!("{}/values/{name}", self.path), "");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let expiration =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("expiration: ")?.parse().ok());
        let metadata = self.ask("GET", &format!("{}/metadata/{name}", self.path), "")["result"].take();
        Held { value, expiration, metadata }
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
        let (head, body) = self.fetch(method, path, body);
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {head}\n{}", body.escape_ascii()))
    }

    /// The head of the answer and its body.
    fn fetch(&self, method: &str, path: &str, body: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("workerd is there");
        let (host, token, length) = (&self.address, self.token, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("a request is sent");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).expect("an answer"), 0, "{head}");
        }
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|value| value.trim().to_owned()))
        };
        // Not to the end of the connection, which workerd keeps open for five more seconds.
        let body = match field("content-length:") {
            Some(length) => exactly(&mut stream, length.parse().expect("a length")),
            None => unchunked(&mut stream),
        };
        (head, body)
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
