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
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).expect("its mode");
    messages.check("is not used, because", &lab, delete(&["--profile", "prod"]));
    messages.assert("profiles");
}
