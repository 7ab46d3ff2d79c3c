//! How fast the `csv` crate reads a file: the measure for the dry run and for `--resume`.

use std::path::Path;

use crate::Outcome;

/// Reads every record of `path` into one reused buffer and prints how many there were.
pub(crate) fn run(path: &Path) -> Outcome {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(128 * 1024).from_path(path)?;
    let mut record = csv::ByteRecord::new();
    let mut records = 0_u64;
    while reader.read_byte_record(&mut record)? {
        records += 1;
    }
    println!("{{\"records\":{records}}}");
    Ok(())
}
