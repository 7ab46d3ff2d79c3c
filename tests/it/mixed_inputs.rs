//! Files beside pipes and other things: what is wrong with the files is found before anything is sent.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::lab::Lab;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.server.preload(["a", "b", "c", "y"]);
    lab.write("keys.txt", "a\nb\nc\n");
    lab
}

#[test]
fn what_cannot_be_read_is_found_before_the_first_delete() {
    let lab = lab();
    let _socket = UnixListener::bind(lab.path("socket")).expect("a socket");
    assert!(Command::new("mkfifo").arg(lab.path("pipe")).status().expect("mkfifo").success());
    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(lab.path("pipe"), closed).expect("its mode");
    for input in [".", "socket", "missing", "pipe"] {
        // Root may read everything, and would wait for somebody to write.
        if input == "pipe" && is_root() {
            continue;
        }
        for inputs in [&["keys.txt", input][..], &["keys.txt", "-", input]] {
            let done = lab.delete(inputs).args(["--report", "none"]).stdin("y\n").run().code(1);
            assert!(done.stderr.contains("nothing was sent"), "{inputs:?}: {}", done.stderr);
        }
    }
    assert_eq!(lab.server.requests(), 0);
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

#[test]
fn files_that_exceed_max_keys_alone_are_not_begun() {
    let lab = lab();
    lab.write("twice.txt", "a\nb\na\nb\n");
    for inputs in [&["keys.txt", "-"][..], &["-", "keys.txt", "/dev/null"]] {
        let done = lab.delete(inputs).args(["--report", "none", "--max-keys", "2"]).stdin("y\n").run().code(8);
        assert!(done.stderr.contains("more than --max-keys 2: nothing was sent"), "{inputs:?}: {}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
    // Neither duplicates nor what filters keep count.
    lab.delete(["twice.txt", "-", "--report", "none", "--max-keys", "2"]).stdin("a\n").run().code(0);
    let kept = ["keys.txt", "-", "--protect", "a", "--protect", "b", "--report", "none", "--max-keys", "2"];
    lab.delete(kept).stdin("y\n").run().code(0);
    assert!(lab.server.is_empty());
}
