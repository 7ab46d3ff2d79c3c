//! Gzip: one member after the other, and the zeros that tapes and block devices leave behind them.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Unpacks every member. Zeros between and after them are padding, as they are to gzip(1); flate2's own reader of
/// several members takes them for a broken one.
pub(super) struct Gzip<R> {
    /// The member that is being read; `None` after the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { member: Some(GzDecoder::new(packed)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buf)?;
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            let has_more = skip_zeros(member.get_mut())?;
            self.member = self.member.take().filter(|_| has_more).map(|ended| GzDecoder::new(ended.into_inner()));
        }
        Ok(0)
    }
}

/// Whether anything follows them.
fn skip_zeros(packed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = packed.fill_buf()?;
        let zeros = chunk.iter().take_while(|&&byte| byte == 0).count();
        if zeros < chunk.len() || chunk.is_empty() {
            let has_more = !chunk.is_empty();
            packed.consume(zeros);
            return Ok(has_more);
        }
        packed.consume(zeros);
    }
}
