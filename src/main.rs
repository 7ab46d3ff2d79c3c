//! The `kvsweep` command.

fn main() {}
