//! Leaves out of a case what the contract leaves open, or what cannot be combined.

use crate::case::{Case, Chain, Format, Limits, Listed, Output, ProtectRoute, Second, Stdin};
use crate::glob;

pub(crate) fn settle(case: &mut Case) {
    settle_inputs(case);
    settle_chain(case);
    if case.from_stdin || case.no_dedupe || case.damage.is_some() {
        case.limits = Limits::default();
    }
    if let Some(tls) = &mut case.server.tls {
        if !matches!(case.chain, Chain::Delete) {
            // Before anything has worked, it ends the job.
            tls.untrusted = 0;
        }
        if matches!(case.chain, Chain::Listing { .. } | Chain::Restore) || case.backup {
            // A single response may be longer.
            tls.lifetime = None;
        }
    }
    // Of a part, whether a name that cannot be sent came before the break is left open.
    if case.check || case.damage.is_some() {
        case.server.url_encoding = true;
    }
    if case.server.temporary.iter().chain(&case.server.refusing).any(|fault| fault.starts_with("hang")) {
        // A short one is given instead.
        case.others.retain(|(name, ..)| name != "timeout");
    }
    if case.rate.is_some() {
        // A request that was in flight when a run was killed may arrive until then, so a resumed run waits for as long.
        case.others.retain(|(name, ..)| name != "timeout");
    }
    // A line cannot hold a line end.
    if case.protect.iter().any(|pattern| glob::text(pattern).contains(['\n', '\r'])) {
        case.protect_route = ProtectRoute::Flag;
    }
}

fn settle_inputs(case: &mut Case) {
    let is_single_csv = matches!(case.form.format, Format::Csv { before: 0, after: 0, .. });
    for name in case.inputs.iter_mut().flatten() {
        if case.form.format == Format::Lines || is_single_csv {
            // A line cannot hold them, and a name in one column must not look like a row of several.
            *name = name.replace(['\n', '\r', ';', '\t', '|'], "_");
        }
    }
    case.same_file &= case.inputs.len() == 2 && case.inputs[0] == case.inputs[1] && case.damage.is_none();
    if case.damage.is_some() {
        case.form.final_newline = true;
    }
    if case.from_stdin {
        // A name may look like another format.
        case.form.named_after_format = false;
    }
    // Some minutes at this rate, or with these pauses, are too long for a test.
    let names: usize = case.inputs.iter().map(Vec::len).sum();
    case.rate = case.rate.filter(|(count, milliseconds)| names as u64 * milliseconds / u64::from(*count) < 4_000);
    if names > 1_000 {
        case.server.quota = None;
        case.server.latency_us = 0;
    }
}

fn settle_chain(case: &mut Case) {
    if !matches!(case.chain, Chain::Delete) {
        case.server.refusing.clear();
    }
    if matches!(case.chain, Chain::Rehearsal | Chain::Restore) {
        case.server.refused.clear();
        // Nothing tells another value with status 200 from the right one.
        case.server.temporary.retain(|fault| !fault.starts_with("garbage"));
    }
    match &mut case.chain {
        // The plan is executed without --bulk.
        Chain::Plan { .. } => case.server.url_encoding = true,
        Chain::Restore | Chain::Shards { .. } => {
            // A backup reads values in URLs; what a part counts is its own.
            case.server.url_encoding = true;
            case.limits = Limits::default();
            (case.check, case.no_dedupe) = (false, false);
            // A part takes its share of a rate, which must not be none.
            case.rate = None;
        }
        Chain::Listing { what, more, limits, .. } => {
            // Refused where keys are not counted first.
            (limits.min_keys, limits.expect) = (None, None);
            // A profile protects keys from deletion, not from being listed.
            if case.protect_route != ProtectRoute::Profile || matches!(what, Listed::List { .. }) {
                case.protect_route = ProtectRoute::Flag;
            }
            if !matches!(what, Listed::List { .. }) && *more > 0 {
                case.bulk = case.bulk.or(Some(1_000)).filter(|keys| *keys >= 100).or(Some(100));
            }
            case.limits = Limits::default();
            case.server.url_encoding = true;
            (case.check, case.backup, case.no_dedupe, case.allow_partial) = (false, false, false, false);
            (case.damage, case.from_stdin) = (None, false);
        }
        // Each of the two has its own, and one of them would find what the other one left.
        Chain::Together { second, .. } => {
            case.backup = false;
            // Two readers of one FIFO share what comes.
            if case.stdin == Stdin::Fifo {
                case.stdin = Stdin::Pipe;
            }
            if *second == Second::Unnamed {
                case.ndjson_report = false;
            }
        }
        Chain::OutputIsInput { .. } if case.inputs.len() == 1 && case.seed.is_multiple_of(2) => {
            (case.from_stdin, case.stdin) = (true, Stdin::File);
        }
        Chain::FullDevice { output: Output::Backup } => {
            (case.backup, case.check, case.server.url_encoding) = (false, false, true);
        }
        Chain::Large { .. } => {
            (case.damage, case.check, case.backup, case.bulk) = (None, false, false, None);
            case.from_stdin = false;
            case.limits = Limits::default();
            case.server.url_encoding = true;
        }
        _ => {}
    }
}
