//! CSV, written field by field.

use memchr::{memchr_iter, memchr3};

/// Appends a row, which ends in `\n`.
pub(crate) fn write_row<'a>(fields: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (index, field) in fields.into_iter().enumerate() {
        match field {
            // A blank row would be none.
            "" if index == 0 => out.extend_from_slice(b"\"\""),
            _ => write_field(field.as_bytes(), out),
        }
        out.push(b',');
    }
    out.pop();
    out.push(b'\n');
}

/// In quotes only if it needs them.
fn write_field(field: &[u8], out: &mut Vec<u8>) {
    if memchr3(b',', b'"', b'\n', field).is_none() && !field.contains(&b'\r') {
        return out.extend_from_slice(field);
    }
    let mut start = 0;
    out.push(b'"');
    for quote in memchr_iter(b'"', field) {
        out.extend_from_slice(&field[start..=quote]);
        start = quote;
    }
    out.extend_from_slice(&field[start..]);
    out.push(b'"');
}
