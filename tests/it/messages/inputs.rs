//! Inputs and reports that cannot be read.

use super::Messages;
use crate::lab::Lab;

/// `printf 'key\na\n' | gzip -n`.
const GZIP: [u8; 26] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x4e, 0xad, 0xe4, 0x4a, 0xe4, 2, 0, 0xdf, 0xd3, 0x2f, 0x25, 6, 0, 0, 0];

#[test]
fn an_input_that_cannot_be_read_says_where_and_why() {
    let lab = Lab::new();
    let mut messages = Messages::new();
    let delete = |args: &[&str]| lab.delete(["--report", "none"]).args(args);

    messages.check("cannot be opened", &lab, delete(&["none.csv"]));
    std::fs::create_dir(lab.path("folder")).expect("a folder");
    messages.check("cannot be opened: Is a directory", &lab, delete(&["folder"]));
    lab.write("utf16.csv", b"\xff\xfek\0e\0y\0\n\0a\0\n\0");
    messages.check("not a list of keys", &lab, delete(&["utf16.csv"]));
    lab.write("unnamed.csv", "id,kv_key\n1,a\n");
    messages.check("none named key, key_name or name", &lab, delete(&["unnamed.csv"]));
    lab.write("semicolons.csv", "Key;Owner\na;b\n");
    messages.check("a header if it is split at", &lab, delete(&["semicolons.csv"]));
    lab.write("stray.csv", "id,\"key\"s\n1,a\n");
    messages.check("cannot be the header", &lab, delete(&["stray.csv"]));
    lab.write("titled.csv", "Keys of Monday\nid,key\n1,a\n");
    messages.check("but line 1 has one", &lab, delete(&["titled.csv"]));
    lab.write("unclosed.csv", "key\n\"a\nb\nc\n");
    messages.check("is never closed", &lab, delete(&["unclosed.csv"]));
    lab.write("cut.ndjson", "\"a\"\n{\"key\":\"b\",\n");
    messages.check("is not a JSON value", &lab, delete(&["cut.ndjson"]));
    let piped = lab.kvsweep(["restore", "-", "--yes", "--report", "none"]).stdin("{\"key\":\"a\",\"value\":\"v\"}\n");
    messages.check("so it has to be a regular file", &lab, piped);
    lab.write("cut.csv.gz", &GZIP[..GZIP.len() - 12]);
    messages.check("is damaged or truncated", &lab, delete(&["cut.csv.gz"]));
    lab.write("keys.csv", "name,size\na,1\n");
    messages.check("no column is named", &lab, delete(&["keys.csv", "--column", "id"]));
    messages.check("there is no column", &lab, delete(&["keys.csv", "--column", "3"]));
    lab.write("twice.csv", "id,id\na,b\n");
    messages.check("several columns are named", &lab, delete(&["twice.csv", "--column", "id"]));
    lab.write("object.json", "{\"keys\": []}\n");
    messages.check("the document is not a JSON array", &lab, delete(&["object.json"]));
    lab.write("keys.json", "[\"a\", \"b\"");
    messages.check("nothing was sent", &lab, lab.delete(["keys.json", "--report", "half.csv"]));
    lab.write("lines.txt", "a\n");
    lab.write("whole.json", "[\"a\"]");
    messages.check("are for CSV", &lab, delete(&["whole.json", "--column", "2"]));

    lab.delete(["lines.txt", "--report", "done.csv"]).run().code(0);
    messages.check("is the same file as", &lab, lab.delete(["done.csv", "--report", "./done.csv", "--overwrite"]));
    lab.write("none.txt", "");
    messages.check("the input is empty", &lab, delete(&["none.txt"]));
    messages.check("fewer than --min-keys", &lab, delete(&["none.txt", "--min-keys", "1"]));
    messages.check("this is the report of a job that ran", &lab, delete(&["done.csv"]));
    lab.write("checked.csv", "key,status\na,planned\nb,failed\n");
    messages.check("no job file says that it is a plan", &lab, delete(&["checked.csv"]));
    lab.write("restore.csv", "key,status\na,restorable\n");
    messages.check("this is the report of kvsweep restore", &lab, delete(&["restore.csv"]));
    lab.write("edited.csv", "key,status\na,PLANNED\n");
    messages.check("the status of this row of a plan", &lab, delete(&["edited.csv"]));
    lab.write("cut.csv", "record,key\n1,a\n");
    messages.check("without its status", &lab, delete(&["cut.csv"]));
    lab.write("renamed.csv", "key,result\na,planned\nb,kept\n");
    messages.check("holds the statuses of a kvsweep plan", &lab, delete(&["renamed.csv"]));
    lab.write("mixed.ndjson", "{\"key\":\"a\",\"status\":\"planned\"}\n\"b\"\n");
    messages.check("some rows have a status", &lab, delete(&["mixed.ndjson"]));
    lab.write("plan.csv", "key,note,Status\na,good,planned\n");
    messages.check("another column than its key", &lab, delete(&["plan.csv", "--column", "note"]));
    messages.check("pass a report that kvsweep delete wrote", &lab, lab.kvsweep(["report", "keys.csv"]));
    messages.check("is not the report of a dry run", &lab, lab.kvsweep(["report", "done.csv", "--diff", "done.csv"]));
    lab.write("more.txt", "b\n");
    lab.delete(["more.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    messages.check("cannot be combined with", &lab, lab.kvsweep(["report", "done.csv", "rehearsal.csv"]));
    let elsewhere = lab.delete(["lines.txt", "--dry-run", "--report", "elsewhere.csv"]);
    elsewhere.env("CLOUDFLARE_KV_NAMESPACE_ID", "1".repeat(32)).run().code(0);
    messages.check("is not the plan of", &lab, lab.kvsweep(["report", "done.csv", "--diff", "elsewhere.csv"]));
    lab.write("copy.csv", lab.read("elsewhere.csv"));
    messages.check("cannot be checked whether", &lab, lab.kvsweep(["report", "done.csv", "--diff", "copy.csv"]));
    let rehearsed = lab.kvsweep(["report", "rehearsal.csv", "--diff", "elsewhere.csv"]);
    messages.check("does not execute a plan", &lab, rehearsed);
    messages.assert("inputs");
}

/// What is wrong with a single record stops nothing; its row says why.
#[test]
fn a_record_that_is_no_key_says_why() {
    let lab = Lab::new();
    let mut messages = Messages::new();
    lab.write("keys.json", format!("[\"\", \"..\", \"{}\", 7, {{\"id\": \"a\"}}, \"config:a\"]", "k".repeat(513)));
    let report = ["--report", "-", "--protect", "config:*"];
    messages.check("the key is empty", &lab, lab.delete(["keys.json"]).args(report));
    lab.write("kept.txt", "config:a\n");
    messages.check("filters keep every key of", &lab, lab.delete(["kept.txt"]).args(report));
    lab.write("latin1.txt", b"caf\xe9\n");
    messages.check("the key is not UTF-8", &lab, lab.delete(["latin1.txt", "--report", "-"]));
    messages.assert("records");
}
