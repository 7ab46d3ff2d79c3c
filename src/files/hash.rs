//! What a file holds, in a few characters.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use ring::digest::{Context, SHA256};

const CHUNK: usize = 256 << 10;

/// How many bytes a file holds, and `sha256:` with the digest of them in hex.
pub(crate) fn hash(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut digest) = (File::open(path)?, Context::new(&SHA256));
    let (mut chunk, mut length) = (vec![0; CHUNK], 0);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                digest.update(&chunk[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut text = "sha256:".to_owned();
    for byte in digest.finish().as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok((length, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "abc").unwrap();
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&path).unwrap(), (3, expected.to_owned()));
    }

    #[test]
    fn all_of_a_long_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut content = vec![b'a'; 2 * CHUNK + 1];
        let mut hashes = std::collections::HashSet::new();
        for place in [0, CHUNK, 2 * CHUNK] {
            content[place] = b'b';
            std::fs::write(&path, &content).unwrap();
            let (length, text) = hash(&path).unwrap();
            assert_eq!(length, content.len() as u64);
            assert!(hashes.insert(text), "byte {place}");
        }
    }
}
