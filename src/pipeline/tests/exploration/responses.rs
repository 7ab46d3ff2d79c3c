//! The responses that a server can give to a request.

use super::world::keys_of;
use super::*;
use crate::api::{Cursor, Page, Presence};
use crate::quota::RateLimitInfo;

/// An answer, without its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Success,
    Absent,
    Refused,
    /// A 503 in the API's envelope.
    Down,
    /// No response. Whether the request took effect makes no difference to the engine.
    Lost,
    /// A response that is not the API's.
    Strange,
    ConnectionClosed,
    /// A 429 that asks for a second.
    Pause,
    /// A 429 that does not say for how long.
    PauseUnasked,
    /// A 429 that asks for more than `max_wait`.
    LongPause,
    Fatal,
    DailyLimit,
    /// A success that leaves nothing of the quota for a second.
    UsesUpQuota,
}

impl Kind {
    pub(super) const ALL: &[Self] = &[
        Self::Success,
        Self::Absent,
        Self::Refused,
        Self::Down,
        Self::Lost,
        Self::Strange,
        Self::ConnectionClosed,
        Self::Pause,
        Self::PauseUnasked,
        Self::LongPause,
        Self::Fatal,
        Self::DailyLimit,
    ];

    fn answer(self) -> Answer {
        let throttled = |pause| Answer::Throttled { error: TransientError::Refused(refusal(429)), pause };
        match self {
            Self::Success | Self::UsesUpQuota => Answer::Success,
            Self::Absent => Answer::Absent(refusal(404)),
            Self::Refused => Answer::Refused(refusal(400)),
            Self::Down => passing(503),
            Self::Lost => lost(),
            Self::Strange => Answer::Transient(TransientError::Unexpected(refusal(410))),
            Self::ConnectionClosed => Answer::ConnectionClosed { text: "closed".into(), unprocessed: false },
            Self::Pause => throttled(Some(SECOND)),
            Self::PauseUnasked => throttled(None),
            Self::LongPause => throttled(Some(MAX_WAIT + SECOND)),
            Self::Fatal => Answer::Fatal(Fatal::Unauthorized, refusal(403)),
            Self::DailyLimit => Answer::DailyLimit(refusal(429)),
        }
    }

    fn quota(self) -> Vec<RateLimitInfo> {
        let info = RateLimitInfo { name: "default".to_owned(), remaining: 0, reset_after: SECOND, policy: None };
        if self == Self::UsesUpQuota { vec![info] } else { Vec::new() }
    }

    /// Whether it is a refusal, in the API's words.
    pub(super) fn refuses(self) -> bool {
        match self {
            Self::Success | Self::UsesUpQuota | Self::Absent | Self::Lost | Self::Strange | Self::ConnectionClosed => {
                false
            }
            Self::Refused
            | Self::Down
            | Self::Fatal
            | Self::DailyLimit
            | Self::Pause
            | Self::PauseUnasked
            | Self::LongPause => true,
        }
    }
}

/// A response to a request, without its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canned {
    Plain(Kind),
    /// To a bulk call: the keys of these bits were not processed; `None` if it does not account for them.
    Bulk(Kind, Option<u8>),
    /// To a look at keys: one digit of base 3 per key, from the last one: 0 there, 1 gone, 2 not said.
    Found(u8),
    /// What a key holds, compared: the same, or not.
    Compared(bool),
    /// No backup can be written any more.
    BackupLost,
    /// A page after which no other can come.
    LastPage,
}

impl Canned {
    /// What was found of the key at this place.
    pub(super) fn found(digits: u8, index: usize) -> Presence {
        match digits as usize / 3usize.pow(u32::try_from(index).unwrap()) % 3 {
            0 => Presence::Present,
            1 => Presence::Absent,
            _ => Presence::Unknown,
        }
    }

    /// Whether it is one of the few things that a path may hold that are not a success.
    pub(super) fn is_fault(self) -> bool {
        match self {
            Self::Plain(Kind::Success) | Self::Bulk(Kind::Success, Some(0)) | Self::Compared(_) => false,
            Self::Found(digits) => (0..4).any(|index| Self::found(digits, index) == Presence::Unknown),
            Self::Plain(_) | Self::Bulk(..) | Self::BackupLost | Self::LastPage => true,
        }
    }

    /// All responses to this request.
    pub(super) fn all(request: &Request, kinds: &[Kind]) -> Vec<Self> {
        let plain = |without: &[Kind]| -> Vec<_> {
            kinds.iter().filter(|kind| !without.contains(kind)).map(|kind| Self::Plain(*kind)).collect()
        };
        match request {
            Request::Delete(_) => plain(&[]),
            Request::DeleteMany(_) | Request::PutMany(_) => {
                let subsets = 0..1u8 << keys_of(request).len();
                let bulk = |kind| {
                    // A 404 says nothing of several keys, and what has no envelope accounts for none.
                    let accounts = !matches!(kind, Kind::Absent | Kind::Lost | Kind::ConnectionClosed | Kind::Strange);
                    let complete = subsets.clone().filter(move |_| accounts).map(Some);
                    complete.chain([None]).map(move |unprocessed| Self::Bulk(kind, unprocessed))
                };
                kinds.iter().filter(|kind| **kind != Kind::Absent).flat_map(|kind| bulk(*kind)).collect()
            }
            Request::Presence(keys) => {
                let found = (0..3u8.pow(u32::try_from(keys.len()).unwrap())).map(Self::Found);
                found.chain(plain(&[Kind::Success, Kind::Absent, Kind::DailyLimit])).collect()
            }
            Request::Metadata(_) => plain(&[Kind::DailyLimit]),
            Request::BackUp(..) => plain(&[Kind::DailyLimit]).into_iter().chain([Self::BackupLost]).collect(),
            Request::Compare(..) => [Self::Compared(true), Self::Compared(false)]
                .into_iter()
                .chain(plain(&[Kind::Success, Kind::UsesUpQuota, Kind::DailyLimit]))
                .collect(),
            Request::Namespace => plain(&[Kind::Absent, Kind::DailyLimit, Kind::UsesUpQuota]),
            Request::Page(_) => plain(&[Kind::Absent, Kind::DailyLimit, Kind::UsesUpQuota])
                .into_iter()
                .chain([Self::LastPage])
                .collect(),
        }
    }

    pub(super) fn response(self, request: &Request) -> Response {
        let reply = |kind: Kind| Reply { answer: kind.answer(), http_status: Some(200), rate_limits: kind.quota() };
        match (request, self) {
            (Request::Delete(_), Self::Plain(kind)) => Response::Delete(reply(kind)),
            (Request::DeleteMany(_) | Request::PutMany(_), Self::Bulk(kind, unprocessed)) => {
                let accounting = match unprocessed {
                    Some(bits) => {
                        let keys = keys_of(request).into_iter().enumerate().filter(|(index, _)| bits & 1 << index != 0);
                        Accounting::Complete { unprocessed: keys.map(|(_, key)| key.to_string().into()).collect() }
                    }
                    None => Accounting::Missing,
                };
                let reply = BulkReply { reply: reply(kind), accounting };
                if let Request::PutMany(_) = request { Response::PutMany(reply) } else { Response::DeleteMany(reply) }
            }
            (Request::Compare(..), Self::Compared(same)) => Response::Compared(reply(Kind::Success), same),
            (Request::Compare(..), Self::Plain(kind)) => Response::Compared(reply(kind), false),
            (Request::Presence(keys), Self::Found(digits)) => {
                let found = (0..keys.len()).map(|index| Self::found(digits, index)).collect();
                Response::Presence(reply(Kind::Success), found)
            }
            (Request::Presence(_), Self::Plain(kind)) => Response::Presence(reply(kind), Vec::new()),
            (Request::Metadata(_), Self::Plain(kind)) => Response::Metadata(reply(kind), None),
            (Request::BackUp(..), Self::Plain(kind)) => Response::BackedUp(Ok(reply(kind))),
            (Request::BackUp(..), Self::BackupLost) => Response::BackedUp(Err("the disk is full".to_owned())),
            (Request::Namespace, Self::Plain(Kind::Success)) => Response::Namespace(Ok(())),
            (Request::Namespace, Self::Plain(kind)) => Response::Namespace(Err(reply(kind))),
            (Request::Page(_), Self::Plain(Kind::Success)) => Response::Page(Ok(page(None))),
            (Request::Page(_), Self::LastPage) => Response::Page(Ok(page(Cursor::new("none")))),
            (Request::Page(_), Self::Plain(kind)) => Response::Page(Err(reply(kind))),
            (request, canned) => unreachable!("{canned:?} to {request:?}"),
        }
    }
}

fn page(next: Option<Cursor>) -> Page {
    Page { keys: Vec::new(), next, rate_limits: Vec::new() }
}

/// What a server answers from some moment on, always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Good,
    Silent,
    Down,
    /// It answers for the namespace only.
    NamespaceOnly,
    Throttling,
    /// It answers, and tells of no key whether it exists.
    Vague,
}

impl Server {
    pub(super) const ALL: [Self; 6] =
        [Self::Good, Self::Silent, Self::Down, Self::NamespaceOnly, Self::Throttling, Self::Vague];

    pub(super) fn response_to(self, request: &Request) -> Option<Canned> {
        let canned = |kind| match request {
            Request::DeleteMany(_) | Request::PutMany(_) => Canned::Bulk(kind, (kind == Kind::Success).then_some(0)),
            Request::Presence(_) if kind == Kind::Success => Canned::Found(0),
            Request::Compare(..) if kind == Kind::Success => Canned::Compared(true),
            _ => Canned::Plain(kind),
        };
        match (self, request) {
            (Self::Silent, _) => None,
            (Self::Vague, Request::Presence(keys)) => {
                Some(Canned::Found(3u8.pow(u32::try_from(keys.len()).unwrap()) - 1))
            }
            (Self::NamespaceOnly, Request::Namespace) | (Self::Good | Self::Vague, _) => Some(canned(Kind::Success)),
            (Self::Down, _) => Some(canned(Kind::Down)),
            (Self::NamespaceOnly, _) => Some(canned(Kind::Lost)),
            (Self::Throttling, _) => Some(canned(Kind::Pause)),
        }
    }
}
