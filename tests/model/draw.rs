//! What a seed draws.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::case::*;
use crate::glob::{self, Part};

mod chain;
mod server;

use chain::chain;
use server::server;

pub(crate) fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

pub(crate) fn one_of<T: Clone>(rng: &mut StdRng, values: &[T]) -> T {
    values[rng.random_range(0..values.len())].clone()
}

const SIZES: [usize; 22] = [0, 1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 99, 100, 101, 127, 128, 129, 255, 256, 257];

/// Powers of two, the program's limits, and more than the largest of them.
const LARGE: [usize; 17] = [
    999, 1_000, 1_001, 1_023, 1_024, 1_025, 1_999, 2_000, 2_048, 4_095, 4_096, 4_097, 9_999, 10_000, 10_001, 11_000,
    16_384,
];
const HUGE: [usize; 8] = [16_383, 16_384, 16_385, 20_000, 20_001, 32_767, 32_768, 40_000];

const PLAIN: &[&str] = &[
    "user",
    "config",
    "tmp",
    "é",
    "日本",
    "a/b",
    "a:b",
    "%2F",
    "a b",
    "x,y",
    "q\"q",
    "'",
    "*",
    "?",
    "[a]",
    "{b}",
    "\\",
    "#",
    ";",
    "|",
    "\t",
    "\u{1b}[31m",
    "😀",
    "e\u{301}",
    "+",
    "&",
    "..a",
    "-",
    "=1+1",
    "null",
    "0",
    "__proto__",
    // Each moves a cursor, turns the text around, or is not to be seen.
    "\u{9b}31m",
    "\u{7f}",
    "\u{202e}",
    "z\u{feff}",
    "\u{2028}",
    "\u{85}",
];

fn name(rng: &mut StdRng, number: usize, form: &Format) -> String {
    if chance(rng, 3) {
        return match rng.random_range(0..3) {
            0 => ".".to_owned(),
            1 => "..".to_owned(),
            _ => "x".repeat(513 + rng.random_range(0..3)),
        };
    }
    let mut name = String::new();
    for _ in 0..rng.random_range(0..3) {
        name += one_of(rng, PLAIN);
    }
    name = format!("{name}k{number}");
    if chance(rng, 2) {
        name = format!("{name}{}", "y".repeat(512 - name.len()));
    }
    if chance(rng, 5) && *form != Format::Lines {
        name = format!("{}\n{name}", one_of(rng, &["", "line", "\r"])).chars().take(200).collect();
    }
    if chance(rng, 4) {
        name = format!(" {name} ");
        name.truncate(name.floor_char_boundary(512));
    }
    name
}

fn format(rng: &mut StdRng) -> Format {
    let member = |rng: &mut StdRng| one_of(rng, &[None, Some("key"), Some("name"), Some("key_name")]);
    match rng.random_range(0..4) {
        0 => Format::Lines,
        1 => Format::Ndjson { member: member(rng) },
        2 => Format::Json { member: member(rng), result: chance(rng, 30), pretty: chance(rng, 30) },
        _ => {
            let (before, after) = one_of(rng, &[(0, 0), (0, 0), (0, 1), (1, 0), (2, 1)]);
            let known = ["key", "Key", "NAME", "key_name", "Key Name", " key ", "KEY-NAME", "key-name"];
            let (heading, column) = match rng.random_range(0..4) {
                0 if before + after == 0 => (None, Column::Recognised),
                0 => (None, Column::ByNumber),
                1 => (Some(one_of(rng, &["kv_key", "Schlüssel", "the \"key\""]).to_owned()), Column::ByName),
                _ => (Some(one_of(rng, &known).to_owned()), Column::Recognised),
            };
            let delimiter = if before + after > 0 { one_of(rng, &[',', ',', ';', '\t', '|']) } else { ',' };
            Format::Csv { heading, before, after, delimiter, column, quoted: chance(rng, 30) }
        }
    }
}

/// Each limit with this chance.
fn limits(rng: &mut StdRng, percent: u32) -> Limits {
    let mut limit = || chance(rng, percent).then(|| one_of(rng, &[-1_i64, 0, 0, 1]));
    Limits { max_keys: limit(), min_keys: limit(), expect: limit() }
}

impl Case {
    pub(crate) fn draw(seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut bulk = chance(rng, 40).then(|| one_of(rng, &[1, 2, 7, 100, 1_000, 10_000]));
        let size = match rng.random_range(0..20) {
            0 if chance(rng, 12) => one_of(rng, &HUGE),
            0 => one_of(rng, &LARGE),
            1..=9 => one_of(rng, &SIZES),
            _ => rng.random_range(0..80),
        };
        if size > 2_000 && chance(rng, 80) {
            bulk = Some(one_of(rng, &[100, 1_000, 4_096, 9_999, 10_000]));
        }
        let format = format(rng);
        let mut names: Vec<String> = (0..size).map(|number| name(rng, number, &format)).collect();
        for index in 1..size {
            if chance(rng, 3) {
                let earlier = names[rng.random_range(0..index)].clone();
                names[index] = earlier;
            }
        }
        let inputs = match rng.random_range(0..4) {
            0 if names.len() > 1 => {
                let (first, second) = names.split_at(rng.random_range(0..names.len()));
                vec![first.to_vec(), second.to_vec()]
            }
            1 if names.len() < 100 => vec![names.clone(), names.clone()],
            _ => vec![names.clone()],
        };
        let from_stdin = inputs.len() == 1 && chance(rng, 25);
        let compression = one_of(rng, &[Compression::None, Compression::None, Compression::Gzip, Compression::Zstd]);
        let damage = chance(rng, 8).then(|| {
            use Damage::*;
            one_of(rng, &[Truncated, Open, Html, Zip])
        });
        let mut patterns = |percent| -> Vec<Vec<Part>> {
            let count = if chance(rng, percent) { rng.random_range(1..4) } else { 0 };
            (0..count).map(|_| glob::draw(rng, &names)).collect()
        };
        let (protect, only) = (patterns(30), patterns(10));
        let limits = limits(rng, 9);
        let check = chance(rng, 10);
        let backup = !check && chance(rng, 10);
        Self {
            seed,
            form: Form {
                format,
                compression,
                bom: chance(rng, 15),
                crlf: chance(rng, 25),
                final_newline: chance(rng, 80),
                named_after_format: chance(rng, 70),
            },
            from_stdin,
            stdin: one_of(rng, &[Stdin::File, Stdin::Pipe, Stdin::Fifo]),
            same_file: chance(rng, 50),
            damage,
            allow_partial: chance(rng, 30),
            protect,
            protect_route: one_of(
                rng,
                &[
                    ProtectRoute::Flag,
                    ProtectRoute::Profile,
                    ProtectRoute::File { bom: true, crlf: false, comment: false },
                    ProtectRoute::File { bom: false, crlf: true, comment: true },
                    ProtectRoute::File { bom: true, crlf: true, comment: false },
                ],
            ),
            only,
            no_dedupe: chance(rng, 8),
            bulk,
            check,
            backup,
            concurrency: one_of(rng, &[1, 2, 8, 32]),
            rate: chance(rng, 6).then(|| one_of(rng, &[(1, 20), (10, 100), (20, 500), (100, 1_000), (50, 2_500)])),
            limits,
            server: server(rng, &names, bulk.is_some()),
            others: crate::flags::draw(rng),
            ndjson_report: chance(rng, 30),
            chain: chain(rng, &names),
            inputs,
        }
    }
}
