//! What was said cannot be done: nothing is sent.

use std::os::unix::fs::symlink;

use kvsweep::sandbox::{Fault, SandboxOptions, What, When};

use super::Messages;
use crate::lab::{Lab, wait_until};

fn lab() -> Lab {
    let other = vec![
        ("00000000000000000000000000000001".to_owned(), "twice".to_owned()),
        ("00000000000000000000000000000002".to_owned(), "twice".to_owned()),
    ];
    let lab = Lab::with(SandboxOptions { title: "sessions".to_owned(), other_namespaces: other, ..Default::default() });
    lab.keys(3);
    lab
}

#[test]
fn wrong_usage_says_what_to_say_instead() {
    let lab = lab();
    let mut messages = Messages::new();
    let delete = |args: &[&str]| lab.delete(["keys.txt"]).args(args);

    messages.check("no API token", &lab, delete(&[]).without_env("CLOUDFLARE_API_TOKEN"));
    let without_token = delete(&[]).without_env("CLOUDFLARE_API_TOKEN");
    messages.check("no account", &lab, without_token.without_env("CLOUDFLARE_ACCOUNT_ID"));
    let accounts = vec![("0".repeat(32), "Acme".to_owned()), ("1".repeat(32), "Beta".to_owned())];
    let several = Lab::with(SandboxOptions { accounts: Some(accounts), ..Default::default() });
    several.keys(3);
    messages.check(
        "the credentials can access",
        &several,
        several.delete(["keys.txt"]).without_env("CLOUDFLARE_ACCOUNT_ID"),
    );
    messages.check("is not 32 hexadecimal digits", &lab, delete(&["--namespace-id", "fedcba98765432"]));
    messages.check("no namespace", &lab, delete(&[]).without_env("CLOUDFLARE_KV_NAMESPACE_ID"));
    messages.check("the id contains", &lab, delete(&[]).env("CLOUDFLARE_KV_NAMESPACE_ID", "../../zones"));
    messages.check("no flag takes a secret", &lab, delete(&["--api-token", "v1.0-secret"]));
    messages.check("invalid character at byte", &lab, delete(&[]).env("CLOUDFLARE_API_TOKEN", "Bearer abcdefgh"));
    messages.check("cannot read the API token", &lab, delete(&["--api-token-file", "none.token"]));
    lab.write("empty.token", "\n");
    messages.check("contains no usable API token", &lab, delete(&["--api-token-file", "empty.token"]));

    let failing = delete(&["--api-token-command", "sh -c 'echo the vault is sealed >&2; exit 1'"]);
    messages.check("no API token from --api-token-command", &lab, failing);

    messages.check("unexpected argument", &lab, delete(&["--reprot", "r.csv"]));
    messages.check("the value came from the environment variable", &lab, delete(&[]).env("KVSWEEP_RETRIES", "many"));
    messages.check("is empty: give it a value, or unset it", &lab, delete(&[]).env("KVSWEEP_MAX_KEYS", ""));
    messages.check("expected N/DURATION", &lab, lab.kvsweep(["delete", "keys.txt", "--rate", "1200"]));
    messages.check("an empty prefix matches every key", &lab, lab.delete(["--prefix", ""]));
    messages.check("--resume needs --report PATH", &lab, delete(&["--resume"]));
    messages.check("no terminal to confirm on", &lab, lab.kvsweep(["delete", "keys.txt"]));

    messages.check("the base URL is plain http", &lab, delete(&["--base-url", "http://api.example/client/v4"]));
    lab.write("ca.pem", "not a certificate\n");
    messages.check("contains no usable certificate", &lab, delete(&["--cacert", "ca.pem"]));
    let https = ["--base-url", "https://api.example/client/v4"];
    let bare = delete(&https).env("SSL_CERT_FILE", "none.pem").env("SSL_CERT_DIR", "none");
    messages.check("this machine has no CA certificates", &lab, bare);
    let socks = delete(&https).env("HTTPS_PROXY", "socks5://user:secret@proxy.example:1080");
    messages.check("is not a usable proxy", &lab, socks);

    messages.check("has no namespace titled", &lab, delete(&["--namespace", "Sessions"]));
    messages.check("namespaces are titled", &lab, delete(&["--namespace", "twice"]));
    messages.check("no wrangler.json", &lab, delete(&["--binding", "KV"]));
    lab.write("wrangler.toml", "kv_namespaces = [{ binding = \"CACHE\", id = \"0123\" }]\n");
    messages.check("has no KV binding", &lab, delete(&["--binding", "KV"]));
    lab.write("wrangler.toml", "name = \"shop\"\nkv_namespaces = [{ binding = \"KV\" }]\n");
    messages.check("the deployed Worker", &lab, delete(&["--binding", "KV"]));
    messages.check("omit --preview", &lab, delete(&["--binding", "KV", "--preview"]));
    std::fs::remove_file(lab.path("wrangler.toml")).expect("the file");
    lab.write("cloudflare.config.ts", "export default {}");
    messages.check("is not evaluated", &lab, delete(&["--binding", "KV"]));
    messages.check("invalid pattern", &lab, delete(&["--protect", "a[b"]));
    messages.check("--protect-from", &lab, delete(&["--protect-from", "none.txt"]));
    lab.write("patterns.txt", "# none yet\n");
    messages.check("contains no pattern", &lab, delete(&["--protect-from", "patterns.txt"]));

    let plain = Lab::with(SandboxOptions { supports_url_encoding: false, ..Default::default() });
    plain.keys(3);
    messages.check("does not support URL encoding", &plain, plain.delete(["keys.txt"]));
    messages.assert("usage");
}

#[test]
fn a_file_in_the_way_is_told_with_the_way_out() {
    let lab = lab();
    let mut messages = Messages::new();
    let delete = |args: &[&str]| lab.delete(["keys.txt"]).args(args);

    lab.write("report.csv", "precious\n");
    messages.check("pass --resume to continue it", &lab, delete(&["--report", "report.csv"]));
    messages.check("has no job file", &lab, delete(&["--report", "report.csv", "--resume"]));
    lab.write("torn.csv", "record,key\n");
    lab.write("torn.csv.job.json", "{");
    messages.check("is not a job file that can be read", &lab, delete(&["--report", "torn.csv", "--resume"]));
    lab.write("fresh.csv.job.json", "{}");
    messages.check("is not a job file of kvsweep", &lab, delete(&["--report", "fresh.csv"]));
    messages.check("so its format is unknown", &lab, delete(&["--report", "report.txt"]));
    messages.check("names one of the inputs", &lab, delete(&["--report", "keys.txt"]));
    symlink("elsewhere.csv", lab.path("link.csv")).expect("a link");
    messages.check("is a symbolic link", &lab, delete(&["--report", "link.csv", "--overwrite"]));
    std::fs::create_dir(lab.path("folder.csv")).expect("a folder");
    messages.check("the path of a regular file", &lab, delete(&["--report", "folder.csv", "--overwrite"]));
    messages.check("cannot be created", &lab, delete(&["--report", "no/such/report.csv"]));

    lab.write("other.txt", "another\n");
    lab.delete(["other.txt", "--report", "other.csv"]).run().code(0);
    messages.check("is the report of another job", &lab, delete(&["--report", "other.csv", "--resume"]));
    let file = lab.read("other.csv.job.json");
    lab.write("other.csv.job.json", file.replace("\"schema\": 1", "\"schema\": 9"));
    messages.check("has schema", &lab, delete(&["--report", "other.csv", "--resume"]));
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    messages.check("which cannot be resumed", &lab, delete(&["--report", "rehearsal.csv", "--resume"]));
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    let elsewhere = lab.delete(["plan.csv", "--report", "none", "--namespace-id", &"1".repeat(32)]);
    messages.check("was planned for another namespace", &lab, elsewhere);
    lab.delete(["keys.txt", "--report", "damaged.csv"]).run().code(0);
    let report = lab.read("damaged.csv").replace(",deleted,", ",gone,");
    lab.write("damaged.csv", report);
    messages.check("the report cannot be resumed", &lab, delete(&["--report", "damaged.csv", "--resume"]));

    lab.server.set_faults([Fault::new(When::Probability(1.0), What::Hang)]);
    let before = lab.deletes().len();
    let first = lab.start("first", delete(&["--report", "held.csv"]));
    wait_until("the first one sends", || lab.deletes().len() > before);
    messages.check("is being written by", &lab, delete(&["--report", "held.csv", "--resume"]));
    first.kill();
    messages.assert("files");
}
