//! The display moves while something else is waited for.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::interval;

use crate::progress::Progress;

/// How often the display is brought up to date while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Does `work`, and keeps the display up to date meanwhile. It must not be borrowed across a wait.
pub(super) async fn with_progress<T>(progress: &RefCell<Progress>, work: impl Future<Output = T>) -> T {
    let ticks = async {
        let mut ticks = interval(TICK);
        loop {
            ticks.tick().await;
            progress.borrow_mut().tick();
        }
    };
    tokio::select! {
        done = work => done,
        never = ticks => match never {},
    }
}
