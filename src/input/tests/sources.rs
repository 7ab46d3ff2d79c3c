//! Files, several of them, compressed or broken.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression as Level;
use flate2::write::GzEncoder;

use super::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zst(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

/// Keys that do not compress to nothing.
fn keys(count: u64) -> Vec<String> {
    (0..count).map(|number| format!("key {:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

fn text(keys: &[String]) -> Vec<u8> {
    keys.iter().flat_map(|key| [key.as_bytes(), b"\n"].concat()).collect()
}

#[test]
fn compression_is_seen_whatever_the_name() {
    for name in ["k.txt", "k.txt.gz", "k.txt.zst", "k"] {
        for compressed in [gzip(b"\xef\xbb\xbfa\nb\n"), zst(b"\xef\xbb\xbfa\nb\n")] {
            assert_eq!(read_whole(name, compressed), ["a", "b"], "{name}");
        }
    }
    assert_eq!(read_whole("k.json.gz", gzip(b"[\"a\"]")), ["a"]);
    assert_eq!(read_whole("k", zst(b"[\"a\"]")), ["a"]);
}

#[test]
fn every_member_and_frame_is_read() {
    assert_eq!(read_whole("k.txt", [gzip(b"a\nb"), gzip(b"c\nd\n")].concat()), ["a", "bc", "d"]);
    assert_eq!(read_whole("k.txt", [zst(b"a\nb"), zst(b"c\nd\n")].concat()), ["a", "bc", "d"]);
    let skippable = [b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec(), zst(b"a\n")].concat();
    assert_eq!(read_whole("k.txt", skippable), ["a"]);
}

#[test]
fn zeros_behind_a_gzip_member_are_padding() {
    let keys = keys(500);
    let (first, second) = (gzip(&text(&keys[..200])), gzip(&text(&keys[200..])));
    for padding in [1, 511, 300_000] {
        let zeros = vec![0; padding];
        assert_eq!(read_whole("keys.gz", [first.clone(), second.clone(), zeros.clone()].concat()), keys);
        assert_eq!(read_whole("keys.gz", [first.clone(), zeros.clone(), second.clone(), zeros.clone()].concat()), keys);
        let (found, end) =
            read("keys.gz", [first.clone(), zeros, b"rubbish".to_vec()].concat(), &InputOptions::default());
        assert_eq!(found, keys[..200]);
        assert!(matches!(end.unwrap().kind(), InputErrorKind::Decompress { .. }), "rubbish after it is still seen");
    }
}

#[test]
fn a_cut_or_broken_stream_is_a_break_after_what_came_before() {
    let all = keys(20_000);
    for (what, compressed) in [("gzip", gzip(&text(&all))), ("zstd", zst(&text(&all)))] {
        for cut in [compressed.len() - 1, compressed.len() - 9, compressed.len() / 2, 30] {
            let (records, error) = read_broken("k.txt", &compressed[..cut]);
            let whole = records.len().min(all.len());
            assert_eq!(records[..whole], all[..whole], "{what} {cut}");
            assert!(cut < 100 || !records.is_empty());
            let text = format!("the {what} data is damaged or truncated");
            assert!(error.to_string().contains(&text) && !error.is_usage(), "{error}");
            assert_eq!(error.records(), records.len() as u64);
        }
    }
    let (records, error) = read_broken("k.txt", [gzip(b"a\nb\n"), b"rubbish".to_vec()].concat());
    assert_eq!(records, ["a", "b"]);
    assert!(error.to_string().starts_with("k.txt line 3 (after record 2): the gzip data is damaged"), "{error}");
    let csv = gzip(b"\"a\"\n\"b\"\n");
    let (_, error) = read_broken("k.csv", &csv[..csv.len() - 4]);
    assert!(matches!(error.kind(), InputErrorKind::Decompress { compression: Compression::Gzip, .. }), "{error}");
    let json = zst(&[b"[\"a\", \"".as_slice(), &text(&keys(9000)), b"\"]"].concat());
    let (_, error) = read_broken("k.json", &json[..json.len() / 2]);
    assert!(!matches!(error.kind(), InputErrorKind::Json(what) if what.contains("ends before")), "{error}");
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Source {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    Source::from(path)
}

#[test]
fn several_sources_are_numbered_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let sources = vec![
        write(folder.path(), "one.csv", b"key\na\nb\n"),
        write(folder.path(), "none.txt", b""),
        write(folder.path(), "two.json", b"[\"c\", 1]"),
        write(folder.path(), "three.txt.gz", &gzip(b"d")),
    ];
    let records: Vec<_> = Records::new(sources, InputOptions::default()).map(Result::unwrap).collect();
    let numbers: Vec<_> = records.iter().map(|record| record.number.get()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert!(matches!(&records[4].content, Content::Key(key) if key.as_str() == "d"));
    let path = folder.path().join("two.json");
    assert!(
        matches!(&records[3].content, Content::Invalid(it) if it.reason.starts_with(&format!("{} line 1", path.display())))
    );
}

#[test]
fn nothing_is_read_after_a_break() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Source::from(folder.path().join("missing.txt"));
    let (one, two) = (write(folder.path(), "one.txt", b"a\n"), write(folder.path(), "two.txt", b"b\n"));
    let broken = write(folder.path(), "broken.csv", b"\"a");
    for (bad, text) in [
        (missing, "cannot be opened"),
        (Source::from(folder.path().to_owned()), if cfg!(windows) { "cannot be opened" } else { "cannot be read" }),
        (broken, "never closed"),
    ] {
        let mut records = Records::new(vec![one.clone(), bad, two.clone()], InputOptions::default());
        assert!(matches!(records.next(), Some(Ok(_))));
        let error = records.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("(after record 1): ") && error.to_string().contains(text), "{error}");
        assert!(!error.is_usage());
        assert!(records.next().is_none() && records.next().is_none());
    }
}

#[test]
fn a_source_is_opened_when_it_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let later = folder.path().join("later.txt");
    let sources = vec![write(folder.path(), "one.txt", b"a\n"), Source::from(later.clone())];
    let mut records = Records::new(sources, InputOptions::default());
    assert!(matches!(records.next(), Some(Ok(_))));
    fs::write(&later, "b\n").unwrap();
    assert!(matches!(records.next(), Some(Ok(record)) if record.number.get() == 2));
    assert!(records.next().is_none());
}

#[test]
fn no_record_of_a_file_that_changed_is_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let one = write(folder.path(), "one.txt", b"x\ny\n");
    let page = b"<!DOCTYPE html>\n".to_vec();
    // Far more than a reader holds, so that most of the new content is read; and so little that it holds all of the old one.
    let long = |key: &str| format!("{key}\n").repeat(400_000).into_bytes();
    for (before, after) in [
        (long("a"), [long("b"), b"b\n".to_vec()].concat()),
        (b"a\na\n".to_vec(), b"b\nb\nb\n".to_vec()),
        (b"a\na\n".to_vec(), Vec::new()),
        (b"a\na\n".to_vec(), page),
    ] {
        let changed = write(folder.path(), "changed.txt", &before);
        let sources = vec![one.clone(), changed.clone(), one.clone()];
        let expected = || sources.iter().map(|source| Some(source.fingerprint().unwrap())).collect();
        // The first record of it was handed on before it changed, or none.
        for read_before in [3, 0] {
            write(folder.path(), "changed.txt", &before);
            let mut records = Records::new(sources.clone(), InputOptions::default()).expecting(expected());
            let mut batch = Vec::new();
            assert!(read_before == 0 || records.next_batch(&mut batch, read_before).unwrap());
            write(folder.path(), "changed.txt", &after);
            let error = records.next_batch(&mut batch, usize::MAX).unwrap_err();
            assert!(matches!(error.kind(), InputErrorKind::Changed), "{error}");
            let keys: Vec<_> = batch
                .iter()
                .map(|record| match &record.content {
                    Content::Key(key) => key.as_str(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(keys, ["x", "y", "a"][..read_before.max(2)], "{} bytes", after.len());
            assert_eq!(error.records(), keys.len() as u64);
            assert!(records.next().is_none());
        }
    }
}

#[test]
fn an_error_of_the_system_is_a_break() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    for (name, start, records_before) in [
        ("k.txt", "a\nb", 1),
        ("k.csv", "a\nb", 1),
        ("k.ndjson", "\"a\"\n\"b", 1),
        ("k.json", "[\"a\",\"b", 1),
        ("k.json", "[\"a\"]", 1),
    ] {
        let mut records = Records::new(Vec::new(), InputOptions::default());
        let reader = BufReader::new(io::Cursor::new(start.as_bytes()).chain(Failing));
        records.begin(&Source::File(name.into()), Box::new(reader)).unwrap();
        let mut all: Vec<_> = records.collect();
        let error = all.pop().unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), InputErrorKind::Read(error) if error.to_string() == "the disk is gone"),
            "{name} {error}"
        );
        assert_eq!((all.len(), error.records()), (records_before, 1), "{name}");
    }
}

#[test]
fn duplicates_are_marked_over_all_sources() {
    let folder = tempfile::tempdir().unwrap();
    let sources = vec![write(folder.path(), "1.txt", b"a\nb\na\n..\n..\n"), write(folder.path(), "2.txt", b"b\nA\n")];
    let mut records: Vec<_> = Records::new(sources, InputOptions::default()).map(Result::unwrap).collect();
    Dedupe::default().mark(&mut records);
    let kinds: String = records
        .iter()
        .map(|record| match record.content {
            Content::Key(_) => 'k',
            Content::Duplicate(_) => 'd',
            Content::Invalid(_) => 'i',
            _ => unreachable!("no journal"),
        })
        .collect();
    assert_eq!(kinds, "kkdiidk");
}
