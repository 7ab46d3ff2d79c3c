//! CSV, written field by field.

use csv_core::{Terminator, WriterBuilder};

#[derive(Debug)]
pub(crate) struct CsvWriter {
    core: csv_core::Writer,
}

impl CsvWriter {
    pub(crate) fn new() -> Self {
        Self { core: WriterBuilder::new().terminator(Terminator::Any(b'\n')).build() }
    }

    pub(crate) fn row(&mut self, fields: &[&str], out: &mut Vec<u8>) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.delimiter(out);
            }
            self.field(field, out);
        }
        self.terminator(out);
    }

    pub(crate) fn field(&mut self, field: &str, out: &mut Vec<u8>) {
        // Every byte may be a quote, which is doubled, and one opens the field.
        with_room(out, 2 * field.len() + 1, |room| self.core.field(field.as_bytes(), room).2);
    }

    pub(crate) fn delimiter(&mut self, out: &mut Vec<u8>) {
        with_room(out, 2, |room| self.core.delimiter(room).1);
    }

    fn terminator(&mut self, out: &mut Vec<u8>) {
        with_room(out, 4, |room| self.core.terminator(room).1);
    }
}

/// Lets `write` fill up to `most` bytes at the end of `out`; it says how many it took.
fn with_room(out: &mut Vec<u8>, most: usize, write: impl FnOnce(&mut [u8]) -> usize) {
    let start = out.len();
    out.resize(start + most, 0);
    let written = write(&mut out[start..]);
    out.truncate(start + written);
}
