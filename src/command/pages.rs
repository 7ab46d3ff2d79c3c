//! The wanted keys of a namespace as records, a page at a time.

use std::cell::RefCell;
use std::fmt;

use tokio::time::Instant;

use crate::api::{Client, ListedKey, Page, PageRequest};
use crate::key::KeyName;
use crate::listing::{Lister, ListingError, Position, Selection};
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::{ApiCaller, CallError, RetryNotice};
use crate::pipeline::retry::Failure;
use crate::pipeline::{Event, Pages, PauseCause};
use crate::progress::Progress;
use crate::record::{Content, Invalid, Record, RecordNumber};
use crate::shard::Shard;
use crate::terminal::{Escaped, Quoted, pluralized};
use crate::text::truncated;

use super::job::KeySelection;
use super::job_input::Stage;
use super::session::Waiting;

/// Numbers the wanted keys in the order in which they are listed: of part K of N with K, K + N, K + 2N and so on, so that
/// no two parts give the same number.
pub(super) struct NamespacePages {
    lister: Lister,
    selection: Selection,
    shard: Option<Shard>,
    next: RecordNumber,
    /// How many keys of this part were listed, and how many of them the filters let through.
    listed: u64,
    selected: u64,
    /// What is done to every record before it is handed out.
    stages: Vec<Stage>,
}

impl fmt::Debug for NamespacePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespacePages").field("lister", &self.lister).finish_non_exhaustive()
    }
}

impl NamespacePages {
    pub(super) fn new(selection: &KeySelection) -> Self {
        let lister = Lister::new(selection.prefixes.clone(), Position::default());
        let first = selection.shard.map_or(0, |shard| u64::from(shard.index()));
        let next = RecordNumber::FIRST.plus(first);
        Self {
            lister,
            selection: selection.selection.clone(),
            shard: selection.shard,
            next,
            listed: 0,
            selected: 0,
            stages: Vec::new(),
        }
    }

    /// Applies `stage` to every record that is handed out from now on.
    pub(super) fn add_stage(&mut self, stage: impl FnMut(&mut Record) + Send + 'static) {
        self.stages.push(Box::new(stage));
    }

    fn record(&mut self, key: ListedKey) -> Record {
        let number = self.next;
        self.next = number.plus(self.shard.map_or(1, |shard| shard.count().get().into()));
        let content = match KeyName::new(key.name.as_str()) {
            Ok(key) => Content::Key(key),
            Err(error) => Content::Invalid(Box::new(Invalid {
                key: key.name,
                rule: error.rule().into(),
                reason: format!("listed: {error}"),
            })),
        };
        let mut record = Record { number, content };
        self.selection.names.apply(&mut record);
        self.stages.iter_mut().for_each(|stage| stage(&mut record));
        record
    }
}

impl Pages for NamespacePages {
    fn request(&self) -> Option<PageRequest> {
        self.lister.request()
    }

    fn accept(&mut self, page: Page) -> Result<Vec<Record>, Stop> {
        let mut keys = self.lister.accept(page).map_err(|error| endless(&error, AGAIN))?;
        keys.retain(|key| self.shard.is_none_or(|shard| shard.owns(&key.name)));
        self.listed += keys.len() as u64;
        // A filter covers a name that no request can hold, too.
        let can_be_kept = |key: &ListedKey| KeyName::new(key.name.as_str()).is_ok();
        keys.retain(|key| if can_be_kept(key) { self.selection.selects(key) } else { self.selection.wants(key) });
        let records: Vec<_> = keys.into_iter().map(|key| self.record(key)).collect();
        self.selected += records.iter().filter(|record| !matches!(record.content, Content::Kept(_))).count() as u64;
        if self.listed > 0 && self.selected == 0 && self.lister.request().is_none() {
            tracing::warn!("none of the {} listed is selected by the filters", pluralized(self.listed, "key"));
        }
        Ok(records)
    }

    fn refused(&mut self, failure: &Failure) -> Result<(), Stop> {
        refused(&mut self.lister, failure, AGAIN)
    }
}

/// What to do about a listing that cannot continue.
const AGAIN: &str = "run the same command again";

/// What is still possible once the server refused the page that `lister` asked for: where it was the cursor, the prefix
/// starts over without what was listed.
pub(super) fn refused(lister: &mut Lister, failure: &Failure, advice: &str) -> Result<(), Stop> {
    let said = &failure.refusal.message;
    if failure.refusal.http_status == Some(400) && lister.request().is_some_and(|page| page.cursor.is_some()) {
        return cursor_lost(lister, said, advice);
    }
    let reason = match failure.refusal.http_status {
        Some(401 | 403) => StopReason::Unauthorized,
        _ => StopReason::NamespaceNotFound,
    };
    let status = failure.refusal.http_status.map(|status| format!("HTTP {status}: ")).unwrap_or_default();
    let why = format!("the keys cannot be listed: {status}{said}");
    Err(Stop { from_api: failure.refusal.http_status.is_some(), ..Stop::new(reason, why) })
}

/// The prefix starts over, without what was listed, because of what the server said, or because its answer shows that
/// it does not understand the cursor.
pub(super) fn cursor_lost(lister: &mut Lister, why: &str, advice: &str) -> Result<(), Stop> {
    lister.cursor_lost().map_err(|error| {
        let stop = endless(&error, advice);
        Stop { why: format!("{} ({why})", stop.why), ..stop }
    })?;
    let prefix = lister.request().map(|page| page.prefix).unwrap_or_default();
    let of_prefix = if prefix.is_empty() { String::new() } else { format!(" of prefix {}", Quoted(&prefix)) };
    tracing::warn!(
        "the server no longer accepts the cursor ({}): the listing{of_prefix} starts over and skips what was listed",
        Escaped(why)
    );
    Ok(())
}

pub(super) fn endless(error: &ListingError, advice: &str) -> Stop {
    match error {
        ListingError::Unordered => {
            let hint = Some(advice.to_owned());
            Stop { hint, ..Stop::new(StopReason::Outage, error.to_string()) }
        }
        ListingError::RepeatedCursor | ListingError::RepeatedPage => {
            Stop::new(StopReason::InputError, error.to_string())
        }
        ListingError::Foreign { .. } => {
            let hint = Some("check --base-url, and caches and proxies on the way".to_owned());
            Stop { hint, ..Stop::new(StopReason::InputError, truncated(&error.to_string())) }
        }
    }
}

/// The page of `request`, if nothing else is sent meanwhile; `progress` shows the waits.
pub(super) async fn fetch_page(
    client: &Client,
    caller: &mut ApiCaller,
    request: &PageRequest,
    progress: Option<&RefCell<Progress>>,
) -> Result<Page, CallError> {
    let show = |event| progress.into_iter().for_each(|progress| progress.borrow_mut().on(&event));
    let mut waiting = Waiting::for_answer("the list of keys", caller.max_wait.most());
    let on_wait = |notice: RetryNotice<'_>| {
        waiting.warn(&notice);
        let throttled = notice.failure.refusal.http_status == Some(429);
        let cause = if throttled { PauseCause::Throttled } else { PauseCause::Outage };
        show(Event::Paused { until: Instant::now() + notice.wait, cause });
    };
    let page = caller.fetch_page(on_wait, || client.page(request)).await;
    show(Event::Running);
    page
}

/// The first page, before anything else is sent.
///
/// # Errors
/// The [`Stop`] that ends the listing.
pub(super) async fn first_page(
    client: &Client,
    pages: &mut NamespacePages,
    caller: &mut ApiCaller,
) -> Result<Vec<Record>, Stop> {
    let Some(request) = pages.request() else { return Ok(Vec::new()) };
    match fetch_page(client, caller, &request, None).await {
        Ok(page) => pages.accept(page),
        Err(CallError::Stop(stop)) => Err(stop),
        Err(CallError::Refused(failure)) => pages.refused(&failure).map(|()| Vec::new()),
    }
}
