//! Servers that cannot be reached, or that do not speak the API.

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};

use super::Messages;
use crate::lab::{Kvsweep, Lab};

fn lab(what: impl Into<What>) -> Lab {
    let fault = Fault::new(When::Probability(1.0), what.into()).everywhere();
    let lab = Lab::with(SandboxOptions { faults: vec![fault], ..SandboxOptions::default() });
    lab.keys(2);
    lab
}

fn delete(lab: &Lab) -> Kvsweep {
    lab.delete(["keys.txt", "--report", "report.csv", "--max-wait", "1500ms"])
}

#[test]
fn a_server_that_does_not_do_as_the_api_is_told_apart() {
    let mut messages = Messages::new();
    let mut hear = |phrase: &str, what: What| {
        let lab = lab(what);
        messages.check(phrase, &lab, delete(&lab).args(["--timeout", "1s"]));
    };
    hear("a firewall refused the request", Canned::html(403).into());
    hear("not a response of the API", Canned::raw(404, "").into());
    hear("the proxy requires authentication", Canned::html(407).into());
    hear("never followed", Canned::redirect("https://elsewhere.example/").into());
    hear("is not the API's JSON", What::Garbage);
    hear("HTTP 503", Canned::html(503).into());
    hear("HTTP 500", Canned::error(500, 10_000, "internal error").into());
    hear("Cloudflare asked for a", Canned::error(429, 10_000, "Please wait").with_header("Retry-After", "3600").into());
    hear("no complete response within", What::Hang);
    hear("connection reset by peer", What::ResetBefore);

    let lab = lab(What::Hang);
    let at = |url: &str| delete(&lab).args(["--base-url", url]);
    messages.check("cannot connect to", &lab, at("http://127.0.0.1:9/client/v4"));
    messages.check("cannot resolve", &lab, at("https://no-such-host.invalid/client/v4"));

    let (address, _) = crate::tls::serve();
    lab.write("stranger.pem", crate::tls::STRANGER);
    let stranger = at(&format!("https://{address}/client/v4")).env("SSL_CERT_FILE", lab.path("stranger.pem"));
    messages.check("is not trusted", &lab, stranger);
    messages.assert("answers");
}
