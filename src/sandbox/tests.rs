//! The server from outside: through HTTP, and through bytes where a client would not say what has to be heard.

mod calls;
mod faults;
mod limits;
mod namespaces;

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const NAMESPACE: &str = "/accounts/acc/storage/kv/namespaces/ns";

/// A server with a client that has credentials.
struct Lab {
    sandbox: Sandbox,
    client: reqwest::Client,
}

/// An answer, whole.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Lab {
    /// A server whose namespace is [`NAMESPACE`].
    fn new(options: SandboxOptions) -> Self {
        Self::with_client(options, |builder| builder)
    }

    fn any_namespace() -> Self {
        let lab = Self::new(SandboxOptions::default());
        Self { sandbox: Sandbox::start(SandboxOptions::default()).unwrap(), ..lab }
    }

    fn with_client(
        options: SandboxOptions,
        change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        // Plain HTTP needs no TLS, but the client is not built without; it may be installed once a process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        let options = SandboxOptions { namespace: Some("ns".to_owned()), ..options };
        Self { sandbox: Sandbox::start(options).unwrap(), client: change(builder).build().unwrap() }
    }

    async fn send(&self, method: Method, rest: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Reply> {
        let url = format!("{}{NAMESPACE}{rest}", self.sandbox.base_url());
        let request = self.client.request(method, url).bearer_auth("token").body(body);
        let response = request.send().await?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }

    async fn get(&self, rest: &str) -> Reply {
        self.send(Method::GET, rest, "").await.unwrap()
    }

    async fn delete(&self, key: &str) -> reqwest::Result<Reply> {
        self.send(Method::DELETE, &format!("/values/{key}"), "").await
    }

    async fn put(&self, rest: &str, body: impl Into<reqwest::Body>) -> Reply {
        self.send(Method::PUT, rest, body).await.unwrap()
    }

    async fn post(&self, rest: &str, body: &Value) -> Reply {
        self.send(Method::POST, rest, body.to_string()).await.unwrap()
    }

    /// Sends these bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.sandbox.addr()).await?;
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("the server closes the connection")?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Deletes `rest` under `values/`, taken as it is, and asks for the connection to be closed.
    async fn raw_delete(&self, rest: &str) -> std::io::Result<String> {
        self.raw(raw_delete(rest, "Connection: close\r\n").as_bytes()).await
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status and the first error's code.
    fn refusal(&self) -> (u16, Option<u64>) {
        let json = self.json();
        assert_eq!(json["success"], false);
        (self.status, json["errors"][0]["code"].as_u64())
    }

    fn result(&self) -> Value {
        let mut json = self.json();
        assert_eq!((self.status, &json["success"], &json["errors"]), (200, &true.into(), &serde_json::json!([])));
        json["result"].take()
    }
}

/// The bytes of a request that deletes `rest` under `values/`, taken as it is.
fn raw_delete(rest: &str, more_headers: &str) -> String {
    format!(
        "DELETE /client/v4{NAMESPACE}/values/{rest} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n{more_headers}\r\n"
    )
}

/// Every byte encoded, so that no client takes offence.
pub(super) fn encoded(key: &str) -> String {
    use std::fmt::Write;
    key.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").unwrap();
        out
    })
}
