//! A server whose pages repeat: a listing ends with an error, and no key is counted twice.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::lab::{Done, Kvsweep, Lab, NAMESPACE, next_request};

/// The keys and the cursor of page `n`, from 0, which was asked for with `cursor`.
type Pages = fn(cursor: &str, n: usize) -> (Vec<String>, String);

/// Pages that a server has, so that a listing that would never end fails its test.
const MOST_PAGES: usize = 50;

/// A server that lists as it likes, and what was deleted from it.
struct Hostile {
    address: SocketAddr,
    pages: AtomicUsize,
    deleted: Mutex<Vec<String>>,
    list: Pages,
}

impl Hostile {
    fn start(list: Pages) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = Arc::new(Self { address, pages: AtomicUsize::new(0), deleted: Mutex::default(), list });
        let listening = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = Arc::clone(&listening);
                std::thread::spawn(move || server.serve_connection(&stream));
            }
        });
        server
    }

    fn serve_connection(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(stream);
        while let Some(first) = next_request(&mut requests)? {
            let body = self.answer(&first).to_string();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        }
        Ok(())
    }

    fn answer(&self, request: &str) -> Value {
        let envelope = |result: Value, info: Value| json!({ "success": true, "errors": [], "messages": [], "result": result, "result_info": info });
        let path = request.split(' ').nth(1).unwrap_or_default();
        if request.starts_with("DELETE ") {
            let key = path.rsplit('/').next().unwrap_or_default().to_owned();
            self.deleted.lock().expect("no panic").push(key);
            return envelope(Value::Null, Value::Null);
        }
        let namespace = json!({ "id": NAMESPACE, "title": "hostile", "supports_url_encoding": true });
        match path.split_once('?') {
            Some((path, query)) if path.ends_with("/keys") => {
                let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).unwrap_or_default();
                let page = self.pages.fetch_add(1, Ordering::SeqCst);
                let (keys, next) = (self.list)(cursor, page);
                let next = if page < MOST_PAGES { next } else { String::new() };
                let keys = keys.into_iter().map(|key| json!({ "name": key })).collect();
                envelope(Value::Array(keys), json!({ "cursor": next }))
            }
            Some(_) => envelope(json!([namespace]), Value::Null),
            None => envelope(namespace, Value::Null),
        }
    }

    fn deleted(&self) -> Vec<String> {
        let mut deleted = self.deleted.lock().expect("no panic").clone();
        deleted.sort();
        deleted
    }
}

fn run(lab: &Lab, server: &Hostile, args: &[&str]) -> Done {
    let run: Kvsweep = lab.kvsweep(args).args(["--rate", "none"]);
    run.env("CLOUDFLARE_API_BASE_URL", format!("http://{}/client/v4", server.address)).run()
}

const LISTINGS: [&[&str]; 4] = [
    &["list"],
    &["list", "--output", "keys.csv"],
    &["delete", "--all", "--dry-run"],
    &["delete", "--all", "--yes", "--report", "none"],
];

#[test]
fn a_listing_that_goes_round_ends_with_an_error() {
    // Every page has a new key, and the cursors alternate, or stand still, or go round in three; and new cursors with the
    // same page.
    let alternating: Pages = |_, n| (vec![format!("key:{n}")], if n % 2 == 0 { "one" } else { "two" }.to_owned());
    let still: Pages = |_, n| (vec![format!("key:{n}")], "one".to_owned());
    let round: Pages = |_, n| (vec![format!("key:{n}")], (n % 3).to_string());
    let empty: Pages = |_, n| (Vec::new(), (n % 3).to_string());
    let same: Pages = |_, n| (vec!["key:1".to_owned(), "key:2".to_owned()], n.to_string());
    for (pages, most, said) in [
        (alternating, 3, "repeats a cursor"),
        (still, 2, "repeats a cursor"),
        (round, 4, "repeats a cursor"),
        (empty, 4, "repeats a cursor"),
        (same, 2, "repeats a page"),
    ] {
        for args in LISTINGS {
            let (lab, server) = (Lab::new(), Hostile::start(pages));
            let done = run(&lab, &server, args).code(1);
            assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
            let asked = server.pages.load(Ordering::SeqCst);
            assert_eq!(asked, most, "{args:?}: {said}");
            let mut deleted = server.deleted();
            deleted.dedup();
            assert_eq!(deleted.len(), server.deleted().len(), "{args:?}: a key was deleted twice");
            assert!(args.contains(&"--yes") || deleted.is_empty(), "{args:?}");
        }
    }
}

#[test]
fn a_key_of_two_pages_is_counted_and_deleted_once() {
    let pages: Pages = |_, n| {
        let keys: &[&str] = [&["a", "b"][..], &[], &["b", "c"], &[], &["c", "a", "d"]][n];
        (keys.iter().map(ToString::to_string).collect(), if n < 4 { n.to_string() } else { String::new() })
    };
    let start = || (Lab::new(), Hostile::start(pages));
    let (lab, server) = start();
    let done = run(&lab, &server, &["list", "--format", "lines", "--json", "--output", "keys.txt"]).code(0);
    assert_eq!((lab.read("keys.txt").as_str(), &done.summary()["listed"]), ("a\nb\nc\nd\n", &4.into()));
    let (lab, server) = start();
    let done = run(&lab, &server, &["delete", "--all", "--dry-run", "--json"]).code(0);
    assert_eq!((&done.summary()["planned"], &done.summary()["records"]), (&4.into(), &4.into()));
    let (lab, server) = start();
    let done = run(&lab, &server, &["delete", "--all", "--yes", "--json", "--report", "r.csv"]).code(0);
    assert_eq!((&done.summary()["deleted"], &done.summary()["records"]), (&4.into(), &4.into()));
    assert_eq!((server.deleted(), lab.rows("r.csv").len()), (["a", "b", "c", "d"].map(str::to_owned).to_vec(), 4));
}
