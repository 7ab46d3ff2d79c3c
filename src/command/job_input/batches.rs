//! Records read a few at a time and worked on where they lie: to hand each from stage to stage takes longer than the
//! stages.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::JobInputError;
use crate::input::{Dedupe, Records};
use crate::plan::filter::Filter;
use crate::record::{Content, Record, RecordNumber};
use crate::report::{Journal, RecordState};
use crate::shard::Shard;
use crate::terminal::{Escaped, pluralized};

/// See [`JobInput::records`](super::JobInput::records).
pub(crate) struct RecordBatches {
    /// `None` once nothing more is to be had.
    pub(super) records: Option<Records>,
    /// How each input was read, once that is so.
    pub(super) formats: Vec<Option<String>>,
    /// How many are read at a time.
    pub(super) most: usize,
    pub(super) shard: Option<Shard>,
    pub(super) filter: Filter,
    /// Counts what the filter keeps; `None` if no warning is to be given, or nothing is filtered.
    pub(super) kept: Option<KeptCounts>,
    pub(super) dedupe: Option<Dedupe>,
    pub(super) journal: Option<(Arc<Journal>, PathBuf)>,
    pub(super) known_records: Option<u64>,
    /// The last record that was read, whichever part it is of.
    pub(super) last: Option<RecordNumber>,
    /// Not yet handed out.
    pub(super) batch: Vec<Record>,
    /// What ended the reading; it comes after them.
    pub(super) error: Option<Box<JobInputError>>,
    /// Keys that would be deleted, had an earlier run not settled them; each counted once.
    pub(crate) settled_keys: u64,
    /// Of each input that was read to its end, how many records it has, whichever part they are of.
    pub(crate) counts: InputCounts,
    /// Applied to every record as it is handed out.
    pub(super) stages: Vec<Stage>,
}

/// Of each input that was read to its end, how many records it has; known while they are read elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputCounts(Arc<Mutex<Vec<u64>>>);

impl InputCounts {
    /// An input ends before the record `next`.
    fn add_end(&self, next: RecordNumber) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before: u64 = counts.iter().sum();
        counts.push(next.get() - 1 - before);
    }

    pub(crate) fn get(&self) -> Vec<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) type Stage = Box<dyn FnMut(&mut Record) + Send>;

impl RecordBatches {
    /// Applies `stage` to every record that is handed out from now on.
    pub(crate) fn add_stage(&mut self, stage: impl FnMut(&mut Record) + Send + 'static) {
        self.stages.push(Box::new(stage));
    }

    /// Appends the next records to `batch`; `false` at the end. Files give many at a time; what comes through a pipe is
    /// handed out before more is asked for.
    ///
    /// # Errors
    /// Nothing comes after it; the records before it are in the batch.
    pub(crate) fn next_batch(&mut self, batch: &mut Vec<Record>) -> Result<bool, Box<JobInputError>> {
        if self.batch.is_empty() && self.error.is_none() {
            self.refill();
        }
        for stage in &mut self.stages {
            self.batch.iter_mut().for_each(stage);
        }
        batch.append(&mut self.batch);
        self.error.take().map_or(Ok(self.records.is_some()), Err)
    }

    /// How each input is read that was opened, as [`Records::formats`] has it.
    pub(crate) fn formats(&self) -> Vec<Option<String>> {
        self.records.as_ref().map_or_else(|| self.formats.clone(), Records::formats)
    }

    fn close(&mut self) {
        self.formats = self.formats();
        self.records = None;
    }

    /// Takes back what was read ahead, and the error after it.
    pub(crate) fn put_back(&mut self, batch: Vec<Record>, error: Option<Box<JobInputError>>) {
        (self.batch, self.error) = (batch, error);
    }

    /// Leaves the batch empty at the end only.
    fn refill(&mut self) {
        while self.batch.is_empty()
            && self.error.is_none()
            && let Some(records) = &mut self.records
        {
            let read = records.next_batch(&mut self.batch, self.most);
            let ended = records.take_ended();
            for (_, next) in &ended {
                self.counts.add_end(*next);
            }
            self.last = self.batch.last().map(|record| record.number).or(self.last);
            if !matches!(read, Ok(true)) {
                self.close();
            }
            self.error = match read {
                Ok(true) => None,
                Ok(false) => self.ended_early(),
                Err(error) => Some(error.into()),
            };
            self.end_at_known_length();
            self.process(ended);
        }
    }

    /// Everything that is done with the records of a batch.
    fn process(&mut self, ended: Vec<(String, RecordNumber)>) {
        if let Some(shard) = self.shard {
            self.retain_shard(shard);
        }
        for record in &mut self.batch {
            self.filter.apply(record);
        }
        if let Some(counts) = &mut self.kept {
            counts.count(&self.batch, ended);
        }
        if let Some(dedupe) = &mut self.dedupe {
            dedupe.mark(&mut self.batch);
        }
        self.mark_settled();
    }

    /// No record is handed out that the inputs did not have when an earlier run read them.
    fn end_at_known_length(&mut self) {
        if let (Some(records), Some((_, report))) = (self.known_records, &self.journal)
            && let Some(place) = self.batch.iter().position(|record| record.number.get() > records)
        {
            let error = JobInputError::TooLong { records, report: report.clone() };
            self.truncate_with(place, Box::new(error));
        }
    }

    /// The input is over: has it had every record of the earlier runs?
    fn ended_early(&self) -> Option<Box<JobInputError>> {
        let (journal, report) = self.journal.as_ref()?;
        let read = self.last.map_or(0, RecordNumber::get);
        let records =
            journal.last().map(RecordNumber::get).max(self.known_records).filter(|records| read < *records)?;
        let is_file = self.most > 1;
        Some(Box::new(JobInputError::EndedEarly { read, records, report: report.clone(), is_file }))
    }

    /// No record from `place` on is handed out, but this error.
    fn truncate_with(&mut self, place: usize, error: Box<JobInputError>) {
        self.batch.truncate(place);
        self.close();
        self.error = Some(error);
    }

    fn retain_shard(&mut self, shard: Shard) {
        let mut wrong = None;
        self.batch.retain(|record| {
            let kept = wrong.is_none() && shard.owns_record(record);
            if let (None, false, Some((journal, report))) = (&wrong, kept, &self.journal)
                && journal.status(record.number).is_some()
            {
                // Every row of the journal is about this part, if it is the right one.
                let key = record.content.key().unwrap_or_default().to_owned();
                wrong = Some(JobInputError::OtherShard { record: record.number, key, shard, report: report.clone() });
            }
            kept
        });
        if let Some(wrong) = wrong {
            self.truncate_with(self.batch.len(), Box::new(wrong));
        }
    }

    fn mark_settled(&mut self) {
        let Some((journal, report)) = &self.journal else { return };
        for (place, record) in self.batch.iter_mut().enumerate() {
            let Some(key) = record.content.key() else { continue };
            match journal.state(record.number, key) {
                RecordState::Pending => {}
                RecordState::Settled => {
                    self.settled_keys += u64::from(matches!(record.content, Content::Key(_)));
                    record.content = Content::Settled;
                }
                RecordState::Mismatch => {
                    let (record, key, report) = (record.number, key.to_owned(), report.clone());
                    return self.truncate_with(place, Box::new(JobInputError::OtherInput { record, key, report }));
                }
            }
        }
    }
}

/// What filters keep of the input that is being read, for the warning that they keep every key of it.
#[derive(Debug, Default)]
pub(crate) struct KeptCounts {
    keys: u64,
    kept: u64,
    /// Why the first key is kept.
    rule: String,
}

impl KeptCounts {
    /// Takes the next records; `ended` are the inputs that end with or before the last of them.
    fn count(&mut self, records: &[Record], ended: Vec<(String, RecordNumber)>) {
        let mut records = records.iter().peekable();
        for (input, next) in ended {
            while let Some(record) = records.next_if(|record| record.number < next) {
                self.add(record);
            }
            let Self { keys, kept, rule } = std::mem::take(self);
            if keys == 0 && kept > 0 {
                let (input, kept) = (Escaped(&input), pluralized(kept, "key"));
                tracing::warn!("filters keep every key of {input} ({kept}); the first one {}", Escaped(&rule));
            }
        }
        records.for_each(|record| self.add(record));
    }

    fn add(&mut self, record: &Record) {
        match &record.content {
            Content::Key(_) => self.keys += 1,
            Content::Kept(kept) => {
                if self.kept == 0 {
                    self.rule.clone_from(&kept.rule);
                }
                self.kept += 1;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc;

    use super::super::{AHEAD, JobInput, Warnings};
    use super::*;
    use crate::command::job::Inputs;
    use crate::input::{InputOptions, Source};

    fn of(path: &Path, dedupe: bool) -> JobInput {
        let filter = Filter::new(vec!["kept*".to_owned()], Vec::new()).unwrap();
        let (sources, options) = (vec![Source::File(path.to_owned())], InputOptions::default());
        let mut input = JobInput::new(&Inputs { sources, options, dedupe, filter, shard: None }, None);
        input.take_fingerprints().unwrap();
        input
    }

    fn letter(record: &Record) -> char {
        match record.content {
            Content::Key(_) => 'k',
            Content::Duplicate(_) => 'd',
            Content::Kept(_) => 'p',
            Content::Invalid(_) => 'i',
            Content::Settled => 's',
            _ => '?',
        }
    }

    /// All records, and what ended them.
    fn drain(records: &mut RecordBatches) -> (Vec<Record>, Option<Box<JobInputError>>) {
        let mut all = Vec::new();
        loop {
            match records.next_batch(&mut all) {
                Ok(true) => {}
                Ok(false) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[test]
    fn every_stage_is_applied_and_numbers_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.ndjson");
        fs::write(&path, "\"b\"\n\"kept\"\n\"b\"\n\"a\"\n7\n\"kept\"\n\"b\"\n\"a\"\n").unwrap();
        for (dedupe, letters) in [(true, "kpdkipdd"), (false, "kpkkipkk")] {
            let mut records = of(&path, dedupe).records(Warnings::Off);
            let (seen, arrived) = mpsc::channel();
            records.add_stage(move |record| seen.send(letter(record)).unwrap());
            let (all, error) = drain(&mut records);
            assert!(error.is_none());
            assert_eq!(all.iter().map(letter).collect::<String>(), letters);
            assert!(all.iter().map(|record| record.number.get()).eq(1..=8));
            drop(records);
            assert_eq!(arrived.iter().collect::<String>(), letters);
        }
    }

    #[test]
    fn files_are_read_many_records_at_a_time_and_what_is_put_back_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        fs::write(&path, "a\n".repeat(3 * AHEAD)).unwrap();
        let mut records = of(&path, true).records(Warnings::Off);
        let mut first = Vec::new();
        assert!(records.next_batch(&mut first).unwrap());
        assert_eq!(first.len(), AHEAD);
        records.put_back(first, None);
        assert!(drain(&mut records).0.iter().map(|record| record.number.get()).eq(1..=3 * AHEAD as u64));
    }

    #[test]
    fn an_error_is_the_last_item_after_all_that_was_read_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.csv");
        for (order, dedupe) in [(1, true), (-1, true), (1, false)] {
            for sound in [1, AHEAD, AHEAD + 1, 3 * AHEAD] {
                let names = (0..i64::try_from(sound).unwrap()).map(|number| format!("key {}\n", 1000 + order * number));
                fs::write(&path, format!("key\n{}\"never closed\n", names.collect::<String>())).unwrap();
                let mut records = of(&path, dedupe).records(Warnings::Off);
                let (all, error) = drain(&mut records);
                assert_eq!((all.len(), error.is_some()), (sound, true), "{order}");
                assert!(!records.next_batch(&mut Vec::new()).unwrap());
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn of_a_pipe_a_record_is_passed_on_before_the_next_is_asked_for() {
        use std::io::{Write as _, pipe};
        use std::os::fd::AsRawFd as _;
        use std::thread;
        use std::time::Duration;

        let (reader, mut writer) = pipe().unwrap();
        let mut records = of(Path::new(&format!("/dev/fd/{}", reader.as_raw_fd())), true).records(Warnings::Off);
        let (sender, arrived) = mpsc::channel();
        records.add_stage(move |record| sender.send(letter(record)).unwrap());
        let thread = thread::spawn(move || drain(&mut records).0.len());
        for (line, expected) in [("\"a\"\n", 'k'), ("\"b\"\n", 'k'), ("\"a\"\n", 'd')] {
            writer.write_all(line.as_bytes()).unwrap();
            assert_eq!(arrived.recv_timeout(Duration::from_secs(30)), Ok(expected));
        }
        drop(writer);
        assert_eq!(thread.join().unwrap(), 3);
    }
}
