//! What holds for any input.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::key::KeyName;

/// Keys with what formats treat specially in them, some of them long.
fn key() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9]{1,8}",
        2 => select(vec!["\"", ",", "\n", "\r", "\r\n", "\t", " ", "\\", "\0", "\u{feff}", "é", "🔑", "[", "{", "key"])
            .prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (100_usize..512).prop_map(|length| "x".repeat(length)),
    ];
    proptest::collection::vec(piece, 1..5)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a valid key", |key| KeyName::new(key.as_str()).is_ok())
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(key(), 0..12)
}

fn at_once() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..10, 10_usize..5000]
}

/// Whether nothing makes it look like something else than a list of keys: then it would be an error.
fn is_text(input: &str) -> bool {
    let first = input.trim_ascii_start().split('\n').next().unwrap_or_default();
    !first.contains(|c: char| c < ' ' && c != '\r')
        && !first.starts_with(['[', '{', '<'])
        && !first.contains("key")
        && (input.contains('\n') || !input.contains('\r'))
        && !input.ends_with('\0')
}

fn assert_reads(
    name: &str,
    input: &[u8],
    options: &InputOptions,
    at_once: usize,
    expected: &[String],
) -> Result<(), TestCaseError> {
    let mut read = Vec::new();
    for item in records(name, input, options, at_once) {
        match item {
            Ok(Record { content: Content::Key(key), .. }) => read.push(key.as_str().to_owned()),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }
    prop_assert_eq!(&read, expected);
    Ok(())
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        keys in keys(),
        at_once in at_once(),
        style in select(vec![::csv::QuoteStyle::Necessary, ::csv::QuoteStyle::Always]),
        crlf in any::<bool>(),
        delimiter in select(b",;\t|".to_vec()),
    ) {
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new()
            .quote_style(style).terminator(terminator).delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(["id", "key_name", "x"]).unwrap();
        for key in &keys {
            writer.write_record(["1", key, ""]).unwrap();
        }
        let input = writer.into_inner().unwrap();
        let options = InputOptions { delimiter: Some(delimiter), ..InputOptions::default() };
        assert_reads("k.csv", &input, &options, at_once, &keys)?;
    }

    #[test]
    fn a_csv_without_a_header_is_read_back(keys in keys(), at_once in at_once()) {
        let mut writer = ::csv::WriterBuilder::new().from_writer(Vec::new());
        for key in &keys {
            writer.write_record([key]).unwrap();
        }
        // A first byte order mark belongs to the file; give it one to lose.
        let input = ["\u{feff}".as_bytes(), &writer.into_inner().unwrap()].concat();
        let is_plain = |key: &String| is_text(&format!("{key}\n")) && !key.contains(char::is_control);
        // Blank ones do not show what the text is.
        let blank = keys.iter().take_while(|key| key.trim_ascii().is_empty()).count();
        prop_assume!(keys.iter().take(blank + 1).all(is_plain));
        let options = InputOptions { header: Header::None, ..InputOptions::default() };
        assert_reads("k.csv", &input, &options, at_once, &keys)?;
    }

    #[test]
    fn json_is_read_back(keys in keys(), at_once in at_once(), pretty in any::<bool>()) {
        let objects: Vec<_> = keys.iter().map(|key| serde_json::json!({"metadata": {"key": 1}, "name": key})).collect();
        for array in [serde_json::json!(keys), serde_json::json!(objects)] {
            let input = if pretty { serde_json::to_vec_pretty(&array) } else { serde_json::to_vec(&array) }.unwrap();
            assert_reads("k.json", &input, &InputOptions::default(), at_once, &keys)?;
            let lines: Vec<_> = array.as_array().unwrap().iter().map(ToString::to_string).collect();
            assert_reads("k.ndjson", lines.join("\n").as_bytes(), &InputOptions::default(), at_once, &keys)?;
        }
    }

    #[test]
    fn lines_are_read_back(keys in keys(), at_once in at_once(), crlf in any::<bool>()) {
        let keys: Vec<_> = keys.into_iter().filter(|key| !key.contains(['\n', '\r'])).collect();
        let end = if crlf { "\r\n" } else { "\n" };
        let input = keys.join(end);
        prop_assume!(is_text(&input));
        assert_reads("k.txt", format!("\u{feff}{input}").as_bytes(), &InputOptions::default(), at_once, &keys)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_too_long_takes_nothing_with_it(
        keys in proptest::collection::vec(key(), 1..6),
        long in proptest::collection::vec((0_usize..6, 0_usize..9000), 0..3),
        at_once in 1000_usize..100_000,
    ) {
        let mut fields = keys.clone();
        for (place, extra) in &long {
            fields.insert((*place).min(fields.len()), "\"y,\n".repeat(16_385 + extra));
        }
        let mut writer = ::csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(["key"]).unwrap();
        for field in &fields {
            writer.write_record([field]).unwrap();
        }
        for (name, input) in [("k.csv", writer.into_inner().unwrap()), ("k.json", serde_json::to_vec(&fields).unwrap())] {
            let (mut read, mut bad) = (Vec::new(), 0);
            for item in records(name, &input, &InputOptions::default(), at_once) {
                match item.unwrap().content {
                    Content::Key(key) => read.push(key.as_str().to_owned()),
                    Content::Invalid(invalid) if invalid.reason.contains("is longer than 64 KiB") => bad += 1,
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                }
            }
            prop_assert_eq!((&read, bad), (&keys, long.len()));
        }
    }
}

fn is_packed(input: &[u8]) -> bool {
    input.starts_with(&[0x1f, 0x8b]) || input.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Bytes that formats treat specially, in any order.
fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        select(vec![
            "\"",
            "\"\"",
            ",",
            "\n",
            "\r",
            "\r\n",
            "[",
            "]",
            "{",
            "}",
            ":",
            "\\",
            "\\u",
            "\\ud800",
            "key",
            "\"key\"",
            "a",
            "1",
            "-",
            "e",
            "null",
            "\u{feff}",
            "record,key,status",
            "\"status\":\"planned\"",
            "\u{1f}\u{8b}",
            " ",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 1..4),
        Just(vec![0x1f, 0x8b, 8, 0]),
        Just(vec![0x28, 0xb5, 0x2f, 0xfd]),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_come_to_the_same_end_however_they_arrive(
        input in rubbish(),
        name in select(vec!["k", "k.txt", "k.csv", "k.tsv", "k.ndjson", "k.json"]),
        header in select(vec![Header::Auto, Header::None]),
        at_once in 1_usize..8,
    ) {
        let options = InputOptions { header, ..InputOptions::default() };
        let read_by = |at_once| -> Vec<String> {
            let text = |item: &Result<Record, InputError>| match item {
                Ok(record) => format!("{record:?}"),
                Err(error) => error.to_string(),
            };
            records(name, &input, &options, at_once).iter().map(text).collect()
        };
        if is_packed(&input) {
            // How much a decoder gives out before it finds the data broken is its own affair.
            read_by(at_once);
            return Ok(());
        }
        prop_assert_eq!(read_by(at_once), read_by(1 << 16));
    }

    /// No record of a CSV may hold a key that its text, read by the rules, does not.
    #[test]
    fn a_csv_key_is_never_a_guess(input in rubbish().prop_filter("plain text", |input| !is_packed(input))) {
        let options = InputOptions { header: Header::None, ..InputOptions::default() };
        for record in records("k.csv", &input, &options, 64).into_iter().flatten() {
            let Content::Key(key) = record.content else { continue };
            let key = key.as_str();
            let quoted = format!("\"{}\"", key.replace('"', "\"\""));
            let holds = |text: &str| input.windows(text.len()).any(|window| window == text.as_bytes());
            let is_bare = !key.starts_with('"') && !key.contains(['\n', '\r', ',']) && holds(key);
            prop_assert!(is_bare || holds(&quoted), "{key:?} out of {:?}", String::from_utf8_lossy(&input));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A cut file gives its first records and an error; one with other bytes in it gives whatever it says, but an end.
    #[test]
    fn damaged_packed_input_comes_to_an_end(
        keys in keys(),
        gz in any::<bool>(),
        at in any::<proptest::sample::Index>(),
        damage in prop_oneof![(1_u8..).prop_map(Some), Just(None)],
    ) {
        let plain = serde_json::to_vec(&keys).unwrap();
        let mut compressed = if gz {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &plain).unwrap();
            encoder.finish().unwrap()
        } else {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            std::io::Write::write_all(&mut encoder, &plain).unwrap();
            encoder.finish().unwrap()
        };
        assert_reads("k.json", &compressed, &InputOptions::default(), 4096, &keys)?;
        // Behind the magic number, so that it is still taken for what it was.
        let at = 4 + at.index(compressed.len() - 4);
        match damage {
            Some(bits) => compressed[at] ^= bits,
            None => compressed.truncate(at),
        }
        let read = records("k.json", &compressed, &InputOptions::default(), 4096);
        if damage.is_none() {
            prop_assert!(read.last().is_some_and(Result::is_err), "a cut file ends in an error");
            for (item, key) in read.iter().zip(&keys) {
                match item {
                    Ok(Record { content: Content::Key(read), .. }) => prop_assert_eq!(read.as_str(), key),
                    Ok(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
                    Err(_) => break,
                }
            }
        }
    }
}
