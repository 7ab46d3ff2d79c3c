//! Records that are asked for, page by page, among the requests for keys.

use super::*;
use crate::api::{Cursor, Page, PageRequest};
use crate::pipeline::retry::Failure;
use crate::quota::RateLimitInfo;

/// `pages` pages of `size` keys each; what the server answers for them holds no keys, so that each comes from here.
#[derive(Debug)]
struct Book {
    pages: usize,
    size: usize,
    at: usize,
    /// What is done about a refusal: the page is asked for again, so often.
    forgives: usize,
}

impl Pages for Book {
    fn request(&self) -> Option<PageRequest> {
        (self.at < self.pages)
            .then(|| PageRequest { prefix: String::new(), cursor: Cursor::new(&format!("page-{}", self.at)) })
    }

    fn accept(&mut self, _page: Page) -> Result<Vec<Record>, Stop> {
        let first = self.at * self.size;
        self.at += 1;
        Ok(keys(first + self.size).skip(first).collect())
    }

    fn refused(&mut self, failure: &Failure) -> Result<(), Stop> {
        if self.forgives == 0 {
            return Err(Stop::new(StopReason::NamespaceNotFound, failure.refusal.message.clone()));
        }
        self.forgives -= 1;
        Ok(())
    }
}

pub(super) struct Listing {
    options: Options,
    max_keys: Option<u64>,
    budget: Budget,
    book: Book,
    signal_at: Option<Duration>,
    /// What every page says of the quota.
    rate_limits: Vec<RateLimitInfo>,
}

pub(super) fn listing(pages: usize, size: usize) -> Listing {
    let budget = Budget::new(&[], Instant::now());
    let book = Book { pages, size, at: 0, forgives: 0 };
    Listing { options: options(), max_keys: None, budget, book, signal_at: None, rate_limits: Vec::new() }
}

pub(super) struct Listed {
    pub(super) end: End<Infallible>,
    rows: HashMap<u64, Status>,
    /// Each request with its moment: a page, a key, the namespace, or how many keys at once.
    log: Vec<(Instant, String)>,
}

impl Listed {
    fn deleted(&self) -> usize {
        self.rows.values().filter(|status| **status == Status::Deleted).count()
    }

    fn pages(&self) -> usize {
        self.log.iter().filter(|(_, what)| what.starts_with("page")).count()
    }

    fn between(&self, from: Instant, to: Instant) -> usize {
        self.log.iter().filter(|(at, _)| (from..to).contains(at)).count()
    }

    fn stopped(&self) -> Option<StopReason> {
        self.end.stop.as_ref().map(|stop| stop.reason)
    }
}

impl Listing {
    /// `script` says how the `nth` request (from 1) of that name is answered.
    pub(super) async fn run(self, script: impl Fn(&str, usize) -> (Duration, Answer)) -> Listed {
        let log = RefCell::new(Vec::new());
        let (pages_out, rate_limits) = (Cell::new(0), self.rate_limits);
        let (_record_sender, records) = mpsc::channel(1);
        let (row_sender, mut row_receiver) = mpsc::channel(16);
        let (signal_sender, signals) = mpsc::channel(1);
        let send = |request: Request| {
            let (log, script, pages_out, rate_limits) = (&log, &script, &pages_out, &rate_limits);
            async move {
                let name = match &request {
                    Request::Page(page) => page.cursor.as_ref().unwrap().as_str().to_owned(),
                    Request::Delete(key) => key.as_str().to_owned(),
                    Request::DeleteMany(keys) => format!("{} keys", keys.len()),
                    Request::Namespace => "the namespace".to_owned(),
                    _ => unreachable!("{request:?} without a backup"),
                };
                let nth = log.borrow().iter().filter(|(_, what)| *what == name).count() + 1;
                log.borrow_mut().push((Instant::now(), name.clone()));
                let is_page = matches!(request, Request::Page(_));
                pages_out.set(pages_out.get() + usize::from(is_page));
                assert!(pages_out.get() < 2, "two pages at once");
                let (latency, answer) = script(&name, nth);
                sleep(latency).await;
                pages_out.set(pages_out.get() - usize::from(is_page));
                let is_up = answer == Answer::Success;
                let reply = Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
                match request {
                    Request::Page(_) if is_up => {
                        Response::Page(Ok(Page { keys: Vec::new(), next: None, rate_limits: rate_limits.clone() }))
                    }
                    Request::Page(_) => Response::Page(Err(reply)),
                    Request::Delete(_) => Response::Delete(reply),
                    Request::DeleteMany(_) => Response::DeleteMany(bulk_reply(reply)),
                    Request::Namespace => Response::Namespace(if is_up { Ok(()) } else { Err(reply) }),
                    _ => unreachable!("without a backup"),
                }
            }
        };
        let options = Options { max_keys: self.max_keys, ..self.options };
        let state = State::new(options, self.budget, StdRng::seed_from_u64(11));
        let state = state.with_pages(Box::new(self.book), Vec::new(), Instant::now());
        let (acknowledge, written) = watch::channel(0);
        let job = run(state, records, row_sender, written, send, signals, |_| {});
        let writer = async {
            let mut rows = HashMap::new();
            while let Some(batch) = row_receiver.recv().await {
                for row in batch {
                    assert!(rows.insert(row.number.get(), row.status).is_none(), "record {} has two rows", row.number);
                }
                acknowledge.send_replace(rows.len() as u64);
            }
            rows
        };
        let signaller = async {
            if let Some(at) = self.signal_at {
                if !at.is_zero() {
                    sleep(at).await;
                }
                signal_sender.send(Signal::Interrupt).await.unwrap();
            }
        };
        // The signal goes first, should both be ready.
        let ((), end, rows) = tokio::join!(biased; signaller, job, writer);
        Listed { end, rows, log: log.into_inner() }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_fetched_while_the_keys_of_the_last_are_deleted() {
    let listed = listing(10, 100).run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((listed.deleted(), listed.pages()), (1_000, 10));
    assert_eq!(listed.end.totals.requests, 1_010, "pages are counted");
    assert_eq!((listed.end.totals.records, listed.end.totals.keys), (1_000, 1_000));
    // Nothing is in flight but the first page; after that, eight requests always are.
    assert_eq!(listed.end.elapsed, LATENCY * (1 + 1_009_u32.div_ceil(8)));
    let mut waiting = 0;
    for (_, what) in &listed.log {
        if what.starts_with("page") {
            assert!(waiting < 16, "{what} was asked for while {waiting} keys waited");
            waiting += 100;
        } else {
            waiting -= 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pages_draw_on_the_same_budget() {
    let mut listing = listing(20, 3);
    listing.budget = Budget::new(&["10/60s".parse().unwrap()], Instant::now());
    let listed = listing.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!(listed.deleted(), 60);
    for (at, _) in &listed.log {
        let within = listed.between(*at, *at + 60 * SECOND);
        assert!(within <= 10, "{within} requests within a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_says_that_the_quota_is_used_up_is_heard() {
    let mut listing = listing(1, 20);
    let reset_after = 60 * SECOND;
    listing.rate_limits = vec![RateLimitInfo { name: "default".to_owned(), remaining: 0, reset_after, policy: None }];
    let listed = listing.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((listed.deleted(), listed.pages(), listed.stopped()), (20, 1, None));
    let (first, _) = listed.log[0];
    assert_eq!(listed.between(first, first + LATENCY + reset_after), 1, "nothing but the page");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_is_asked_for_again() {
    for answer in [passing(503), lost(), closed()] {
        let script = move |what: &str, nth| {
            (LATENCY, if what.starts_with("page") && nth == 1 { answer.clone() } else { Answer::Success })
        };
        let listed = listing(5, 50).run(script).await;
        assert_eq!((listed.deleted(), listed.pages(), listed.stopped()), (250, 10, None));
        assert_eq!(listed.end.totals.retries, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_for_a_page_pauses_everybody() {
    let pause = Some(60 * SECOND);
    let listed = listing(3, 100)
        .run(move |what, nth| match (what, nth) {
            ("page-1", 1) => (LATENCY, Answer::Throttled { error: TransientError::Refused(refusal(429)), pause }),
            _ => (LATENCY, Answer::Success),
        })
        .await;
    assert_eq!((listed.deleted(), listed.end.totals.throttled), (300, 1));
    let (told, _) = listed.log.iter().find(|(_, what)| what == "page-1").unwrap();
    assert_eq!(listed.between(*told + LATENCY + LATENCY / 2, *told + LATENCY + 60 * SECOND), 0, "sent in the pause");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_whatever_is_under_way() {
    // It begins with the first page, while keys are deleted, and with so few of them that a page is often alone.
    for (from, size) in [(0, 100), (3, 100), (1, 1), (1, 0)] {
        let listing = listing(200, size);
        let start = Instant::now();
        let (from, to) = (start + from * SECOND, start + 90 * SECOND);
        let listed = listing
            .run(move |_, _| {
                (LATENCY, if (from..to).contains(&Instant::now()) { passing(503) } else { Answer::Success })
            })
            .await;
        assert_eq!((listed.deleted(), listed.stopped()), (200 * size, None), "{size} keys a page");
        let during = listed.between(from, to);
        assert!(during < 40, "{during} requests into a dead server");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lists_but_does_not_delete_burns_no_keys() {
    let mut listing = listing(300, 1);
    listing.options.retry.retries = 2;
    let to = Instant::now() + 90 * SECOND;
    let listed = listing
        .run(move |what, _| {
            let down = what.starts_with("key") && Instant::now() < to;
            (LATENCY, if down { passing(503) } else { Answer::Success })
        })
        .await;
    assert_eq!((listed.deleted(), listed.stopped()), (300, None));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_listing_alone_ends_the_job_and_costs_no_key() {
    let listed =
        listing(5, 50).run(|what, _| (LATENCY, if what == "page-3" { passing(500) } else { Answer::Success })).await;
    assert_eq!((listed.deleted(), listed.stopped()), (150, Some(StopReason::Outage)));
    assert!(listed.log.len() < 250, "{} requests", listed.log.len());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_refused_ends_the_job_after_what_came_before() {
    let script = |what: &str, nth| match (what, nth) {
        ("page-3", 1 | 2) => (LATENCY, Answer::Refused(refusal(400))),
        _ => (LATENCY, Answer::Success),
    };
    let listed = listing(5, 50).run(script).await;
    assert_eq!((listed.deleted(), listed.stopped()), (150, Some(StopReason::NamespaceNotFound)));
    let mut forgiving = listing(5, 50);
    forgiving.book.forgives = 2;
    let listed = forgiving.run(script).await;
    assert_eq!((listed.deleted(), listed.stopped()), (250, None));
}

#[tokio::test(start_paused = true)]
async fn a_fatal_answer_to_a_page_ends_the_job() {
    let listed = listing(5, 50)
        .run(|what, _| match what {
            "page-2" => (LATENCY, Answer::Fatal(Fatal::Unauthorized, refusal(403))),
            _ => (LATENCY, Answer::Success),
        })
        .await;
    assert_eq!((listed.stopped(), listed.deleted()), (Some(StopReason::Unauthorized), 100));
    let asked = listed.log.iter().filter(|(_, what)| what == "page-2").count();
    assert_eq!(asked, 9, "the namespace is found, so the page is requested again");
}

#[tokio::test(start_paused = true)]
async fn a_signal_does_not_wait_for_a_page() {
    let mut listing = listing(5, 50);
    listing.signal_at = Some(5 * SECOND);
    let listed =
        listing.run(|what, _| (if what == "page-2" { 1_000 * SECOND } else { LATENCY }, Answer::Success)).await;
    assert_eq!((listed.deleted(), listed.stopped()), (100, Some(StopReason::Interrupted)));
    assert_eq!(listed.end.elapsed, 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_requested_after_a_signal_that_came_before_the_first_page() {
    let mut listing = listing(5, 50);
    listing.signal_at = Some(Duration::ZERO);
    let listed = listing.run(|_, _| (LATENCY, Answer::Success)).await;
    let counted = listed.end.totals.requests;
    assert_eq!((counted, listed.log.len(), listed.stopped()), (0, 0, Some(StopReason::Interrupted)));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_waits_for_its_retry_is_a_wait_for_the_server() {
    let mut listing = listing(5, 50);
    listing.options.max_wait = 10 * SECOND;
    listing.options.retry.base = 100 * SECOND;
    listing.options.retry.cap = 100 * SECOND;
    let listed = listing.run(|_, _| (LATENCY, passing(500))).await;
    assert_eq!((listed.stopped(), listed.end.elapsed), (Some(StopReason::Outage), 10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_bulk_call_waits_for_the_page_that_fills_it() {
    let mut listing = listing(10, 100);
    let batch = BatchLimit { keys: 300.try_into().unwrap(), bytes: 1_000_000 };
    listing.options.batching = Batching::Bulk(batch);
    // Longer than a bulk call waits for a reader.
    let listed =
        listing.run(|what, _| (if what.starts_with("page") { SECOND } else { LATENCY }, Answer::Success)).await;
    let sizes: Vec<_> =
        listed.log.iter().map(|(_, what)| what.as_str()).filter(|what| what.ends_with("keys")).collect();
    assert_eq!(sizes, ["300 keys", "300 keys", "300 keys", "100 keys"]);
    assert_eq!((listed.deleted(), listed.end.elapsed), (1_000, 10 * SECOND + LATENCY));
}

#[tokio::test(start_paused = true)]
async fn guards_end_a_listing() {
    let mut keys = listing(10, 50);
    keys.max_keys = Some(120);
    let listed = keys.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((listed.deleted(), listed.stopped(), listed.pages()), (120, Some(StopReason::MaxKeys), 3));

    let mut canary = listing(10, 50);
    canary.options.canary = 70;
    let script =
        |what: &str, _| (LATENCY, if what == "key-60" { Answer::Refused(refusal(400)) } else { Answer::Success });
    let listed = canary.run(script).await;
    assert_eq!(listed.stopped(), Some(StopReason::Canary));
    assert!(listed.rows.len() <= 70 && listed.deleted() == listed.rows.len() - 1, "more than the canaries were sent");
}
