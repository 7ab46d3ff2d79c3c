//! Keys out of lines: one per line, taken exactly, or as one JSON value.
//!
//! A carriage return that is no part of CRLF is an error: it is how the lines of some editors end, and two names would become
//! one key. A key that contains one comes as NDJSON or in quotes.

use memchr::memchr;

use super::error::{InputError, InputErrorKind};
use super::lookalike::Lookalike;
use super::parsed_key::{invalid, parse_key};
use super::status_search::{StatusSearch, cells_of};
use crate::format::lines::{Line, LineReader};
use crate::format::{Buffered, Position};
use crate::record::Content;

/// The next key; empty lines are skipped.
pub(super) fn next_key(
    lines: &mut LineReader<Buffered>,
    search: &mut StatusSearch,
) -> Result<Option<Content>, InputError> {
    let no_check = |_: &mut LineReader<Buffered>| Ok(());
    find_key(lines, no_check, |position, text| {
        if memchr(b'\r', text).is_some() {
            return Err(InputError::at(position, InputErrorKind::StrayReturn));
        }
        if text.is_empty() {
            return Ok(None);
        }
        search.see(position, cells_of(text));
        Ok(Some(parse_key(position, text)))
    })
}

/// The first key that `parse` finds in the lines to come; a line that is too long to be kept is an invalid record, unless
/// `check_long_line` finds an error in it.
pub(super) fn find_key(
    lines: &mut LineReader<Buffered>,
    check_long_line: impl Fn(&mut LineReader<Buffered>) -> Result<(), InputErrorKind>,
    mut parse: impl FnMut(Position, &[u8]) -> Result<Option<Content>, InputError>,
) -> Result<Option<Content>, InputError> {
    loop {
        let position = Position::line(lines.number() + 1);
        let at = |kind| InputError::at(position, kind);
        let key = match lines.next().map_err(|error| at(InputErrorKind::Read(error)))? {
            None => return Ok(None),
            // Names may hold line ends, which is what NUL bytes are for.
            Some(Line::Text { bytes: [.., 0], is_terminated: false }) => {
                return Err(at(InputErrorKind::NotKeys(Lookalike::NulSeparated)));
            }
            Some(Line::Text { bytes, .. }) => parse(position, bytes)?,
            Some(Line::TooLong) => {
                check_long_line(lines).map_err(at)?;
                lines.skip_long_line().map_err(|error| at(InputErrorKind::Read(error)))?;
                Some(invalid(position, String::new(), "the line is longer than 64 KiB"))
            }
        };
        if key.is_some() {
            return Ok(key);
        }
    }
}
