//! What a job costs at Cloudflare's list price.
//!
//! From <https://developers.cloudflare.com/kv/platform/pricing/>, looked up in [`Cost::AS_OF`]. Every name is an operation,
//! in a bulk call too; so is every page of a listing.

use std::fmt;

/// What a million deletes or lists cost beyond those that are included, in US dollars.
pub(crate) const USD_PER_MILLION: u64 = 5;

/// Deletes, and as many lists, that the paid plan includes in a month.
pub(crate) const INCLUDED_A_MONTH: u64 = 1_000_000;

/// How many reads cost as much as one delete ($0.50 a million).
const READS_A_DELETE: u64 = 10;

/// Reads that the paid plan includes in a month.
const READS_INCLUDED_A_MONTH: u64 = 10_000_000;

/// Reads that the free plan allows in a day.
const FREE_READS_A_DAY: u64 = 100_000;

/// Deletes that the free plan allows in a day, from 00:00 UTC.
pub(crate) const FREE_A_DAY: u64 = 1_000;

/// An amount in millionths of a US dollar: what one delete costs is five of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MicroUsd(pub u64);

/// What a job costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// On the paid plan, where the month's included operations are all left.
    pub least: MicroUsd,
    /// On the paid plan, where they are used up.
    pub most: MicroUsd,
    /// On the free plan, the days that it takes.
    pub free_days: u64,
}

impl Cost {
    /// The month whose list prices these are.
    pub(crate) const AS_OF: &str = "2026-11";

    /// The cost of so many keys deleted, pages listed, and values and metadata read.
    pub(crate) fn of(deletes: u64, lists: u64, reads: u64) -> Self {
        let price = |included: u64, reads_included: u64| {
            let reads = reads.saturating_sub(reads_included).div_ceil(READS_A_DELETE);
            let operations = deletes.saturating_sub(included).saturating_add(lists.saturating_sub(included));
            MicroUsd(operations.saturating_add(reads).saturating_mul(USD_PER_MILLION))
        };
        Self {
            least: price(INCLUDED_A_MONTH, READS_INCLUDED_A_MONTH),
            most: price(0, 0),
            free_days: deletes.div_ceil(FREE_A_DAY).max(reads.div_ceil(FREE_READS_A_DAY)),
        }
    }
}

impl MicroUsd {
    /// In dollars.
    pub(crate) fn usd(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// `$12.35`, the cent rounded up.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.div_ceil(10_000);
        write!(f, "${}.{:02}", crate::terminal::count(cents / 100), cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_includes_a_million_of_each() {
        assert_eq!(Cost::of(0, 0, 0), Cost { least: MicroUsd(0), most: MicroUsd(0), free_days: 0 });
        let cost = Cost::of(1_000_000, 1_000, 0);
        assert_eq!((cost.least, cost.most.usd(), cost.free_days), (MicroUsd(0), 5.005, 1_000));
        let cost = Cost::of(10_000_001, 0, 0);
        assert_eq!((cost.least, cost.most, cost.free_days), (MicroUsd(45_000_005), MicroUsd(50_000_005), 10_001));
        let cost = Cost::of(6_000_000, 0, 12_000_000);
        assert_eq!((cost.least, cost.most.usd(), cost.free_days), (MicroUsd(26_000_000), 36.0, 6_000));
        assert_eq!(Cost::of(u64::MAX, u64::MAX, 0).most, MicroUsd(u64::MAX));
    }

    #[test]
    fn no_cent_is_lost() {
        let shown = [0, 1, 10_000, 10_001, 1_234_560_000].map(|micro| MicroUsd(micro).to_string());
        assert_eq!(shown, ["$0.00", "$0.01", "$0.01", "$0.02", "$1,234.56"]);
    }
}
