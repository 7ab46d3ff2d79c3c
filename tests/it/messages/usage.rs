//! What was said cannot be done: nothing is sent.

use std::os::unix::fs::symlink;

use kvsweep::sandbox::{Fault, SandboxOptions, What, When};

use super::Told;
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
    let mut told = Told::new();
    let delete = |args: &[&str]| lab.delete(["keys.txt"]).args(args);

    told.hear("no API token", &lab, delete(&[]).without_env("CLOUDFLARE_API_TOKEN"));
    told.hear("no account", &lab, delete(&[]).without_env("CLOUDFLARE_ACCOUNT_ID"));
    told.hear("no namespace", &lab, delete(&[]).without_env("CLOUDFLARE_KV_NAMESPACE_ID"));
    told.hear("the id holds", &lab, delete(&[]).env("CLOUDFLARE_KV_NAMESPACE_ID", "../../zones"));
    told.hear("no flag takes a secret", &lab, delete(&["--api-token", "v1.0-secret"]));
    told.hear("holds a character at byte", &lab, delete(&[]).env("CLOUDFLARE_API_TOKEN", "Bearer abcdefgh"));
    told.hear("cannot read the API token", &lab, delete(&["--api-token-file", "none.token"]));
    lab.write("empty.token", "\n");
    told.hear("holds no usable API token", &lab, delete(&["--api-token-file", "empty.token"]));

    told.hear("unexpected argument", &lab, delete(&["--reprot", "r.csv"]));
    told.hear("the value came from the environment variable", &lab, delete(&[]).env("KVSWEEP_RETRIES", "many"));
    told.hear("expected N/DURATION", &lab, lab.kvsweep(["delete", "keys.txt", "--rate", "1200"]));
    told.hear("an empty prefix names every key", &lab, lab.delete(["--prefix", ""]));
    told.hear("--resume needs --report PATH", &lab, delete(&["--resume"]));
    told.hear("no terminal to confirm on", &lab, lab.kvsweep(["delete", "keys.txt"]));

    told.hear("the base URL is plain http", &lab, delete(&["--base-url", "http://api.example/client/v4"]));
    lab.write("ca.pem", "not a certificate\n");
    told.hear("holds no usable certificate", &lab, delete(&["--cacert", "ca.pem"]));
    let https = ["--base-url", "https://api.example/client/v4"];
    let bare = delete(&https).env("SSL_CERT_FILE", "none.pem").env("SSL_CERT_DIR", "none");
    told.hear("this machine has no CA certificates", &lab, bare);
    let socks = delete(&https).env("HTTPS_PROXY", "socks5://user:secret@proxy.example:1080");
    told.hear("is not a usable proxy", &lab, socks);

    told.hear("none of the account's namespaces is titled", &lab, delete(&["--namespace", "Sessions"]));
    told.hear("namespaces are titled", &lab, delete(&["--namespace", "twice"]));
    told.hear("no wrangler.json", &lab, delete(&["--binding", "KV"]));
    lab.write("wrangler.toml", "kv_namespaces = [{ binding = \"CACHE\", id = \"0123\" }]\n");
    told.hear("has no KV binding", &lab, delete(&["--binding", "KV"]));
    told.hear("not a pattern", &lab, delete(&["--protect", "a[b"]));
    told.hear("--protect-from none.txt", &lab, delete(&["--protect-from", "none.txt"]));
    lab.write("patterns.txt", "# none yet\n");
    told.hear("holds no pattern", &lab, delete(&["--protect-from", "patterns.txt"]));

    let plain = Lab::with(SandboxOptions { supports_url_encoding: false, ..Default::default() });
    plain.keys(3);
    told.hear("does not support URL encoding", &plain, plain.delete(["keys.txt"]));
    told.assert("usage");
}

#[test]
fn a_file_in_the_way_is_told_with_the_way_out() {
    let lab = lab();
    let mut told = Told::new();
    let delete = |args: &[&str]| lab.delete(["keys.txt"]).args(args);

    lab.write("report.csv", "precious\n");
    told.hear("exists: use --resume", &lab, delete(&["--report", "report.csv"]));
    told.hear("has no job file", &lab, delete(&["--report", "report.csv", "--resume"]));
    lab.write("torn.csv", "record,key\n");
    lab.write("torn.csv.job.json", "{");
    told.hear("is not a job file that can be read", &lab, delete(&["--report", "torn.csv", "--resume"]));
    lab.write("fresh.csv.job.json", "{}");
    told.hear("is not a job file of kvsweep", &lab, delete(&["--report", "fresh.csv"]));
    told.hear("the format is told by the extension", &lab, delete(&["--report", "report.txt"]));
    told.hear("names one of the inputs", &lab, delete(&["--report", "keys.txt"]));
    symlink("elsewhere.csv", lab.path("link.csv")).expect("a link");
    told.hear("is a symbolic link", &lab, delete(&["--report", "link.csv", "--overwrite"]));
    std::fs::create_dir(lab.path("folder.csv")).expect("a folder");
    told.hear("name a regular file", &lab, delete(&["--report", "folder.csv", "--overwrite"]));
    told.hear("cannot be made", &lab, delete(&["--report", "no/such/report.csv"]));

    lab.write("other.txt", "another\n");
    lab.delete(["other.txt", "--report", "other.csv"]).run().code(0);
    told.hear("is the report of another job", &lab, delete(&["--report", "other.csv", "--resume"]));
    let file = lab.read("other.csv.job.json");
    lab.write("other.csv.job.json", file.replace("\"schema\": 1", "\"schema\": 9"));
    told.hear("has schema 9", &lab, delete(&["--report", "other.csv", "--resume"]));
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    told.hear("which cannot be resumed", &lab, delete(&["--report", "rehearsal.csv", "--resume"]));
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    let elsewhere = lab.delete(["plan.csv", "--report", "none", "--namespace-id", &"1".repeat(32)]);
    told.hear("was planned for another namespace", &lab, elsewhere);
    lab.delete(["keys.txt", "--report", "damaged.csv"]).run().code(0);
    let report = lab.read("damaged.csv").replace(",deleted,", ",gone,");
    lab.write("damaged.csv", report);
    told.hear("it cannot be resumed", &lab, delete(&["--report", "damaged.csv", "--resume"]));

    lab.server.set_faults([Fault::new(When::Probability(1.0), What::Hang)]);
    let before = lab.deletes().len();
    let first = lab.start("first", delete(&["--report", "held.csv"]));
    wait_until("the first one sends", || lab.deletes().len() > before);
    told.hear("is being written by", &lab, delete(&["--report", "held.csv", "--resume"]));
    first.kill();
    told.assert("files");
}
