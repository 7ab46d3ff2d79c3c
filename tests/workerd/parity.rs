//! The sandbox is held to what Cloudflare's own code answers: one table of requests, put to all three.
//!
//! Compared are status, code and the whole answer, but for what is free: the words of a refusal and what a cursor says.
//! Codes of refusals are published for a missing key (10009) only: the explorer numbers what it checks itself 10001 and
//! what its storage refuses 10000, where the sandbox and the Worker have a code for each reason.
//!
//! Where a side differs on purpose its row says why. The local runtime is not the service: where the published schema
//! or documentation says something else, that is what the sandbox does.

mod table;

use kvsweep::sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::rest::{Answered, Rest};
use crate::runtime::{ACCOUNT, Side, TOKEN, Workerd};

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Sandbox,
    /// `worker.mjs` over the binding that a Worker has.
    Worker,
    Explorer,
}

/// One request, and what is answered to it.
struct Probe {
    method: &'static str,
    /// Below the namespace, as it is written on the wire.
    rest: String,
    content_type: &'static str,
    body: Vec<u8>,
    status: u16,
    /// Of a refusal.
    code: Option<u64>,
    differing: Option<Differing>,
}

/// What one of them answers instead, and why that is right.
struct Differing {
    voice: Voice,
    status: u16,
    why: &'static str,
}

impl Probe {
    fn new(method: &'static str, rest: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let (rest, body) = (rest.into(), body.into());
        Self { method, rest, content_type: "application/json", body, status: 200, code: None, differing: None }
    }

    fn of_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    fn refused(self, status: u16, code: u64) -> Self {
        Self { status, code: Some(code), ..self }
    }

    fn but(self, voice: Voice, status: u16, why: &'static str) -> Self {
        Self { differing: Some(Differing { voice, status, why }), ..self }
    }

    /// The request on one line.
    fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let line = format!("{} {} {}", self.method, self.rest, body.escape_debug());
        line.chars().take(160).collect()
    }
}

/// What is compared of an answer.
#[derive(Debug, PartialEq)]
struct Heard {
    status: u16,
    code: Option<u64>,
    expiration: Option<String>,
    /// The envelope without words and without what cursors say; a text for what is no envelope.
    shape: Value,
}

impl Heard {
    fn new(answered: &Answered, voice: Voice, expected: Option<u64>) -> Self {
        let mut shape = serde_json::from_slice::<Value>(&answered.body)
            .ok()
            .filter(|envelope| envelope["success"].is_boolean())
            .unwrap_or_else(|| String::from_utf8_lossy(&answered.body).into());
        let mut code = None;
        if let Some(errors) = shape.get_mut("errors").and_then(Value::as_array_mut) {
            code = errors.first().and_then(|error| error["code"].as_u64());
            if voice == Voice::Explorer && matches!(code, Some(10_000 | 10_001)) {
                code = expected;
            }
            for error in errors {
                *error = json!("an error");
            }
        }
        if let Some(cursor) = shape.pointer_mut("/result_info/cursor").filter(|cursor| **cursor != json!("")) {
            *cursor = json!("a cursor");
        }
        let expiration = answered.header("expiration").map(ToOwned::to_owned);
        Self { status: answered.status, code, expiration, shape }
    }
}

/// Before the first request.
fn fill(rest: &Rest) {
    let value = |name: &str, value: &str| json!({"key": name, "value": value});
    let mut pairs: Vec<Value> = (0..12).map(|number| value(&format!("p:{number:02}"), "v")).collect();
    pairs.extend([value("a/b", "v"), value("text", "not json"), value("json", r#"{"a":1}"#), value("empty", "")]);
    pairs.push(json!({"key": "there", "value": "v", "metadata": {"m": 1}}));
    pairs.push(json!({"key": "expires", "value": "v", "expiration": 2_000_000_000}));
    rest.put_bulk(&Value::from(pairs).to_string());
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn the_sandbox_answers_as_cloudflares_own_code_does() {
    let worker = Workerd::start("parity", Side::Api);
    let explorer = Workerd::start("explorer-parity", Side::Explorer).itself();
    let sandbox = Sandbox::start(SandboxOptions::default()).expect("a sandbox");
    let sandbox = Rest::new(&sandbox.base_url(), ACCOUNT, "parity", TOKEN);
    let voices = [(Voice::Sandbox, &sandbox), (Voice::Worker, &worker.rest), (Voice::Explorer, &explorer)];
    for (_, rest) in voices {
        fill(rest);
    }
    let mut wrong = Vec::new();
    for probe in table::probes() {
        let mut first: Option<Heard> = None;
        for (voice, rest) in voices {
            let answered = rest.send(probe.method, &probe.rest, probe.content_type, &probe.body);
            let heard = Heard::new(&answered, voice, probe.code);
            let differing = probe.differing.as_ref().filter(|differing| differing.voice == voice);
            let right = match (differing, &first) {
                (Some(differing), _) => heard.status == differing.status && Some(&heard) != first.as_ref(),
                (None, Some(first)) => heard == *first,
                (None, None) => (heard.status, heard.code) == (probe.status, probe.code),
            };
            if !right {
                let why = differing.map_or("", |differing| differing.why);
                let said: String = String::from_utf8_lossy(&answered.body).chars().take(300).collect();
                wrong.push(format!("{}\n  {voice:?} {} {said} {why}", probe.shown(), heard.status));
            }
            first.get_or_insert(heard);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
