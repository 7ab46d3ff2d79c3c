//! The memory that all large response bodies of a client share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most bytes of large bodies that a client holds at once.
pub(crate) const MAX_HELD: u32 = 96 << 20;

/// A body up to this size needs no reservation, in bytes. As much may lie in the buffers of a connection anyway.
pub(crate) const SMALL_BODY: usize = 64 << 10;

#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    free: Arc<Semaphore>,
    bytes: u32,
}

/// A part of a [`MemoryBudget`], given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation(#[expect(dead_code, reason = "given back when dropped")] OwnedSemaphorePermit);

impl MemoryBudget {
    pub(crate) fn new(bytes: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes as usize)), bytes }
    }

    /// Waits until a body of `length` bytes fits; if its length is not known, one of `most`. A body larger than the whole
    /// budget waits for all of it.
    pub(crate) async fn reserve(&self, length: Option<u64>, most: usize) -> Option<Reservation> {
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(most).min(most);
        let bytes = u32::try_from(length).unwrap_or(u32::MAX).min(self.bytes);
        Arc::clone(&self.free).acquire_many_owned(bytes).await.ok().map(Reservation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_until_something_is_given_back() {
        let budget = MemoryBudget::new(10);
        let large = budget.reserve(None, 99).await.unwrap();
        let mut second = Box::pin(budget.reserve(Some(1), 99));
        assert!(futures::poll!(&mut second).is_pending());
        drop(large);
        let second = second.await.unwrap();
        // A stated length is not believed beyond what is read.
        let capped = budget.reserve(Some(u64::MAX), 9).await.unwrap();
        let mut third = Box::pin(budget.reserve(Some(1), 1));
        assert!(futures::poll!(&mut third).is_pending());
        drop((second, capped));
        assert!(third.await.is_some());
    }
}
