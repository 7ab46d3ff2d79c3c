//! How many requests fit into the files and connections that this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Everything besides connections to the API: inputs, report, backup, terminal, pings, the runtime's own.
const OTHERS: u64 = 32;

/// A request's connection, and one while the host's name is looked up; in a rehearsal both ends are in this process.
const PER_REQUEST: u64 = 2;

/// Raises the soft limit of open files as far as `concurrency` requests at once need it and the hard limit allows. Fewer where
/// they do not fit, with a warning: without a descriptor every request fails as if there were no network.
pub(super) fn fit(concurrency: usize) -> usize {
    let needed = needed(concurrency);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return concurrency;
    }
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    let allowed = if raised.is_ok() { wanted } else { limit.current.unwrap_or(wanted) };
    let fitting = fitting(allowed).min(concurrency);
    if fitting < concurrency {
        tracing::warn!(
            "at most {fitting} requests at once instead of {concurrency}: this process may open only {allowed} files and \
             connections\nhint: raise the limit (ulimit -Hn {needed}), or pass --concurrency {fitting}"
        );
    }
    fitting
}

fn needed(concurrency: usize) -> u64 {
    OTHERS + PER_REQUEST * concurrency as u64
}

fn fitting(allowed: u64) -> usize {
    usize::try_from(allowed.saturating_sub(OTHERS) / PER_REQUEST).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_as_are_needed_for_and_never_none() {
        for concurrency in [1, 32, 1024] {
            assert_eq!(fitting(needed(concurrency)), concurrency);
        }
        assert_eq!((fitting(0), fitting(OTHERS), fitting(256)), (1, 1, 112));
    }
}
