//! What must hold for any bytes as a journal, and for any rows cut anywhere.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a target says what it found")]

use std::io::BufReader;
use std::time::{Duration, UNIX_EPOCH};

use super::encode::append_row;
use super::reader::read_rows;
use super::row::{COLUMNS, Format, ReadError, StoredRow};
use crate::outcome::{Detail, Settled, Status};
use crate::record::RecordNumber;

const FORMATS: [Format; 2] = [Format::Csv, Format::Ndjson];

/// What is left of a row: number, key, status.
type Seen = (u64, String, Status);

/// Anything as a journal; its length chooses where it is cut for a second reading.
pub fn journal(data: &[u8]) {
    for format in FORMATS {
        let Ok((rows, end)) = scan(format, data) else { continue };
        assert!(end == 0 || data.get(end - 1) == Some(&b'\n'), "{format:?}: a row without its end was taken");
        match scan(format, &data[..end]) {
            Ok(again) => assert_eq!(again, (rows.clone(), end), "{format:?}: what is kept is whole"),
            // Where nothing is kept there may be nothing to recognise either.
            Err(error) => panic!("{format:?}: what is kept cannot be read: {error:?}"),
        }
        let cut = data.len().wrapping_mul(31) % (data.len() + 1);
        if let Ok((fewer, sooner)) = scan(format, &data[..cut]) {
            assert!(rows.starts_with(&fewer), "{format:?}: a cut at {cut} gives other rows: {fewer:?}");
            assert!(sooner <= cut && sooner <= end, "{format:?}: {sooner}, {cut}, {end}");
        }
    }
}

/// Rows out of pieces of the data, written and cut at any byte: exactly the whole ones are read back.
pub fn report(data: &[u8]) {
    let Some((&[high, low], data)) = data.split_first_chunk() else { return };
    let text = String::from_utf8_lossy(data);
    let rows: Vec<Settled> =
        text.split('\u{1}').take(8).zip(1..).map(|(piece, number)| settled(piece, number)).collect();
    for format in FORMATS {
        let mut whole = Vec::new();
        format.append_header(&COLUMNS, &mut whole);
        let mut ends = vec![whole.len()];
        for row in &rows {
            append_row(format, row, &mut whole);
            ends.push(whole.len());
        }
        let cut = usize::from(u16::from_be_bytes([high, low])) % (whole.len() + 1);
        for cut in [cut, whole.len()] {
            let complete = ends.iter().filter(|&&end| end <= cut).count();
            let expected: Vec<Seen> = rows.iter().take(complete.saturating_sub(1)).map(seen).collect();
            let end = if complete == 0 { 0 } else { ends[complete - 1] };
            match scan(format, &whole[..cut]) {
                Ok(read) => assert_eq!(read, (expected, end), "{format:?} cut at {cut}"),
                Err(error) => panic!("{format:?} cut at {cut}: {error:?}"),
            }
        }
    }
}

fn scan(format: Format, bytes: &[u8]) -> Result<(Vec<Seen>, usize), ReadError> {
    let mut rows = Vec::new();
    let each = |row: &StoredRow<'_>| rows.push((row.number.get(), row.key.to_string(), row.status));
    // A small buffer, so that rows span its borders.
    let input = BufReader::with_capacity(7, bytes);
    let end = read_rows(format, input, each)?;
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    assert!(end <= bytes.len(), "{end} bytes of {} were kept", bytes.len());
    Ok((rows, end))
}

/// The first half of `piece` is the key, the second the error.
fn settled(piece: &str, number: u64) -> Settled {
    let middle = piece.char_indices().nth(piece.chars().count() / 2).map_or(0, |(index, _)| index);
    let (key, error) = piece.split_at(middle);
    let size = piece.len() as u64;
    Settled {
        number: RecordNumber::new(number + (size << 7)).unwrap_or(RecordNumber::FIRST),
        key: key.into(),
        status: Status::ALL[piece.len() % Status::ALL.len()],
        http_status: u16::try_from(piece.len()).ok(),
        detail: Some(Box::new(Detail { error_code: Some(size << 30), error: error.to_owned() })),
        attempts: 1,
        elapsed: Duration::from_millis(size),
        finished_at: UNIX_EPOCH + Duration::from_millis(size << 20),
    }
}

fn seen(row: &Settled) -> Seen {
    (row.number.get(), row.key.to_string(), row.status)
}
