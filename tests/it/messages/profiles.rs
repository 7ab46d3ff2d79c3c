//! Profiles and flags that contradict each other: nothing is sent.

use std::os::unix::fs::PermissionsExt;

use super::Messages;
use crate::lab::Lab;

#[test]
fn a_profile_or_flag_that_cannot_be_used_says_why() {
    let lab = Lab::new();
    lab.keys(3);
    let mut messages = Messages::new();
    let delete = |args: &[&str]| lab.delete(["keys.txt"]).args(args);

    messages.check("cannot be used with", &lab, lab.delete(["--prefix", "key:", "--expect", "3"]));
    messages.check("no scheduler numbers this task", &lab, delete(&["--shard", "auto/4"]));
    let file = lab.write("kvsweep.toml", "[profile.prod]\n");
    messages.check("no profile", &lab, delete(&["--profile", "prd"]));
    for (phrase, line) in [
        ("unknown setting", "yes = true"),
        ("secrets are not allowed in this file", "api-token = 'v1.0-secret'"),
        ("is not allowed in a file found in a folder", "api-token-command = 'vault read token'"),
    ] {
        lab.write("kvsweep.toml", format!("[profile.prod]\n{line}\n"));
        messages.check(phrase, &lab, delete(&["--profile", "prod"]));
    }
    lab.write("kvsweep.toml", "[profile.prod]\n");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).expect("its mode");
    messages.check("is not used, because", &lab, delete(&["--profile", "prod"]));
    messages.assert("profiles");
}
