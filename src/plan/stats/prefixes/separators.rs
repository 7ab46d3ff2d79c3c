//! Where the prefixes of a name end, eight bytes at a time: this is done for each of many names.

/// How much of a name is looked at, in bytes.
pub(super) const MAX_BYTES: usize = 96;

/// The most prefixes of a name.
pub(super) const MAX_DEPTH: usize = 8;

const WORD: usize = 8;
const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The ends of a name's prefixes: behind its first separators, of which any number together are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    ends: [usize; MAX_DEPTH],
    depth: usize,
}

impl Ends {
    pub(super) fn of(name: &[u8]) -> Self {
        let mut ends = Self { ends: [0; MAX_DEPTH], depth: 0 };
        let name = &name[..name.len().min(MAX_BYTES)];
        let mut words = name.chunks_exact(WORD);
        let mut start = 0;
        for word in &mut words {
            let word = word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            if !ends.take(start, separators(word)) {
                return ends;
            }
            start += WORD;
        }
        let rest = words.remainder().iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        ends.take(start, separators(rest));
        ends
    }

    /// Takes the separators of a word; `false` once there is no room for another prefix.
    fn take(&mut self, start: usize, mut found: u64) -> bool {
        while found != 0 {
            let end = start + found.trailing_zeros() as usize / 8 + 1;
            found &= found - 1;
            match self.depth.checked_sub(1) {
                Some(last) if self.ends[last] + 1 == end => self.ends[last] = end,
                _ if self.depth == MAX_DEPTH => return false,
                _ => {
                    self.ends[self.depth] = end;
                    self.depth += 1;
                }
            }
        }
        true
    }

    /// From the shortest prefix to the longest.
    pub(super) fn as_slice(&self) -> &[usize] {
        &self.ends[..self.depth]
    }
}

/// The high bit of each byte that is `:`, `/`, `.` or `-`. No addition carries into the next byte: both sides are below
/// 0x80.
fn separators(word: u64) -> u64 {
    let low = word & !HIGH;
    let at_least = |byte: u8| low + EACH * u64::from(0x80 - byte);
    let found = (at_least(b'-') & !at_least(b'/' + 1)) | (at_least(b':') & !at_least(b':' + 1));
    found & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_apart_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..WORD {
                let word = u64::from(byte) << (8 * place);
                let wanted = if b"-./:".contains(&byte) { 0x80 << (8 * place) } else { 0 };
                assert_eq!(separators(word), wanted, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn prefixes_end_behind_their_separators() {
        let ends = |name: &str| Ends::of(name.as_bytes()).as_slice().to_vec();
        assert_eq!(ends("session:web:1"), [8, 12]);
        assert_eq!(ends("https://a.b/c"), [8, 10, 12]);
        assert_eq!(ends("1234567:::::::::x"), [16], "across words");
        assert!(ends("no_separator").is_empty() && ends("").is_empty());
        assert_eq!(ends("ключ:1"), [9]);
        assert_eq!(ends("::"), [2]);
        assert_eq!(ends("a:b:c:d:e:f:g:h:i:j"), [2, 4, 6, 8, 10, 12, 14, 16]);
        assert_eq!(ends("a:b:c:d:e:f:g:h::::i"), [2, 4, 6, 8, 10, 12, 14, 19]);
        let long = format!("{}:1", "a".repeat(MAX_BYTES - 1));
        assert_eq!(ends(&long), [MAX_BYTES]);
        assert!(ends(&format!("a{long}")).is_empty());
    }
}
