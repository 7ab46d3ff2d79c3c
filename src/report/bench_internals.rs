//! For the benchmarks alone: rows without a file.

use super::encode::Encoder;
use super::row::Format;
use super::row::Row;
use crate::outcome::Settled;

#[derive(Debug)]
pub struct Rows(Encoder);

impl Rows {
    pub fn new(format: Format) -> Self {
        Self(Encoder::new(format))
    }

    /// Appends the row of `settled` to `out`.
    pub fn append(&mut self, settled: &Settled, out: &mut Vec<u8>) {
        self.0.row(&Row::from(settled), out);
    }
}
