//! Smaller cases that may fail as well.

use crate::case::{Case, Chain, Compression, Limits, Listed, Selection, Stdin, Stream};

pub(crate) fn smaller(case: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        cases.push(smaller);
    };
    let longest = case.inputs.iter().map(Vec::len).max().unwrap_or(0);
    if longest > 0 {
        for part in [longest / 2, longest / 4, 1] {
            let part = part.max(1);
            for from in (0..longest).step_by(part).take(4) {
                with(&|case| {
                    for names in &mut case.inputs {
                        let to = (from + part).min(names.len());
                        names.drain(from.min(to)..to);
                    }
                });
            }
        }
    }
    with(&|case| case.inputs.truncate(1));
    with(&|case| case.others.clear());
    with(&|case| case.server.temporary.clear());
    with(&|case| case.server.refusing.clear());
    with(&|case| case.server.refused.clear());
    with(&|case| "malformed key".clone_into(&mut case.server.refusal));
    with(&|case| case.server.tls = None);
    with(&|case| (case.server.quota, case.server.idle_close, case.server.latency_us) = (None, None, 0));
    with(&|case| case.rate = None);
    with(&|case| case.stdin = Stdin::File);
    with(&|case| case.from_stdin = false);
    with(&|case| case.protect.clear());
    with(&|case| case.only.clear());
    with(&|case| case.bulk = None);
    with(&|case| case.concurrency = 1);
    with(&|case| case.limits = Limits::default());
    with(&|case| (case.check, case.backup) = (false, false));
    with(&|case| (case.form.bom, case.form.crlf) = (false, false));
    with(&|case| case.form.compression = Compression::None);
    for chain in shorter(&case.chain) {
        with(&|case| case.chain = chain.clone());
    }
    cases
}

/// The same with fewer events.
fn shorter(chain: &Chain) -> Vec<Chain> {
    match chain {
        Chain::Interrupted { events } if events.len() > 1 => (0..events.len())
            .map(|left_out| {
                let mut events = events.clone();
                events.remove(left_out);
                Chain::Interrupted { events }
            })
            .collect(),
        Chain::Listing { selection, more, what, limits } => {
            let listing = |selection: &Selection, more, what: &Listed| {
                let (selection, what) = (selection.clone(), what.clone());
                Chain::Listing { selection, more, what, limits: *limits }
            };
            let mut chains = vec![listing(selection, more / 2, what)];
            if let Listed::List { extension, events } = what {
                let events = events.iter().skip(1).copied().collect();
                let what = Listed::List { extension, events };
                chains.push(listing(selection, *more, &what));
            }
            let mut plain = selection.clone();
            (plain.expires, plain.metadata) = (None, None);
            plain.prefixes.truncate(1);
            chains.push(listing(&plain, *more, what));
            chains
        }
        Chain::Streams { stdout, stderr } => {
            let files = [(Stream::File, *stderr), (*stdout, Stream::File)];
            files.map(|(stdout, stderr)| Chain::Streams { stdout, stderr }).to_vec()
        }
        _ => Vec::new(),
    }
}
