//! Records read a few at a time and worked on where they lie: to hand each from stage to stage takes longer than the
//! stages.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::{JobInputError, key_of};
use crate::input::{Dedupe, Records, Unmarked};
use crate::plan::filter::Filter;
use crate::record::{Content, Record, RecordNumber};
use crate::report::{Journal, RecordState};
use crate::shard::Shard;
use crate::terminal::{Escaped, pluralized};

/// See [`JobInput::records`](super::JobInput::records).
pub(in crate::command) struct RecordBatches {
    /// `None` once nothing more is to be had.
    pub(super) records: Option<Records>,
    /// How many are read at a time.
    pub(super) most: usize,
    pub(super) shard: Option<Shard>,
    pub(super) filter: Filter,
    /// Counts what the filter keeps; `None` if no warning is to be given, or nothing is filtered.
    pub(super) kept: Option<KeptCounts>,
    pub(super) dedupe: Option<Dedupe<Box<JobInputError>>>,
    pub(super) journal: Option<(Arc<Journal>, PathBuf)>,
    /// The last record that was read, whichever part it is of.
    pub(super) last: Option<RecordNumber>,
    /// Not yet handed out.
    pub(super) batch: VecDeque<Record>,
    /// What ended the reading, to be told after them.
    pub(super) error: Option<Box<JobInputError>>,
    /// Keys that would be deleted, had an earlier run not settled them.
    pub(super) settled_keys: u64,
    /// Of each input that was read to its end, how many records it has, whichever part they are of.
    pub(super) counts: Vec<u64>,
}

impl Iterator for RecordBatches {
    type Item = Result<Record, Box<JobInputError>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty() {
            self.refill();
        }
        self.batch.pop_front().map(Ok).or_else(|| self.error.take().map(Err))
    }

    /// Those that need not be waited for.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.batch.len(), None)
    }
}

impl RecordBatches {
    /// How many keys so far an earlier run settled, each counted once.
    pub(in crate::command) fn settled_keys(&self) -> u64 {
        self.settled_keys
    }

    /// How many records each of the inputs holds that were read to their end.
    pub(in crate::command) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Leaves it empty at the end only. Apart, so that what is done for each record stays small.
    #[cold]
    fn refill(&mut self) {
        while self.batch.is_empty()
            && let Some(records) = &mut self.records
        {
            let read = records.read(&mut self.batch, self.most);
            let ended = records.take_ended();
            for (_, next) in &ended {
                let before: u64 = self.counts.iter().sum();
                self.counts.push(next.get() - 1 - before);
            }
            self.last = self.batch.back().map(|record| record.number).or(self.last);
            let is_over = self.batch.len() < self.most;
            if read.is_err() || is_over {
                self.records = None;
            }
            self.error = match read {
                Ok(()) if is_over => self.ended_early(),
                read => read.err().map(Into::into),
            };
            self.work(ended);
        }
    }

    /// Everything that is done with the records of a batch.
    fn work(&mut self, ended: Vec<(String, RecordNumber)>) {
        if let Some(shard) = self.shard {
            self.retain_shard(shard);
        }
        for record in &mut self.batch {
            self.filter.apply(record);
        }
        if let Some(counts) = &mut self.kept {
            counts.count(&self.batch, ended);
        }
        if let Some(dedupe) = &mut self.dedupe
            && let Err(Unmarked { from, error }) = dedupe.mark(self.batch.make_contiguous())
        {
            self.truncate_with(from, error);
        }
        self.mark_settled();
    }

    /// The input is over: has it had every record of the journal?
    fn ended_early(&self) -> Option<Box<JobInputError>> {
        let (journal, report) = self.journal.as_ref()?;
        let last = journal.last().filter(|last| self.last.is_none_or(|read| read < *last))?;
        let read = self.last.map_or(0, RecordNumber::get);
        let is_file = self.most > 1;
        Some(Box::new(JobInputError::EndedEarly { read, last, report: report.clone(), is_file }))
    }

    /// No record from `place` on is handed out, but this error.
    fn truncate_with(&mut self, place: usize, error: Box<JobInputError>) {
        self.batch.truncate(place);
        self.records = None;
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
                let key = key_of(record).unwrap_or_default().to_owned();
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
            let Some(key) = key_of(record) else { continue };
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
pub(in crate::command) struct KeptCounts {
    keys: u64,
    kept: u64,
    /// Why the first key is kept.
    rule: String,
}

impl KeptCounts {
    /// Takes the next records; `ended` are the inputs that end with or before the last of them.
    fn count(&mut self, records: &VecDeque<Record>, ended: Vec<(String, RecordNumber)>) {
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
            Content::Duplicate(_) | Content::Invalid(_) | Content::Settled => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Write, pipe};
    use std::os::fd::AsRawFd;
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

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
        }
    }

    #[test]
    fn every_stage_has_its_say_and_numbers_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.ndjson");
        fs::write(&path, "\"b\"\n\"kept\"\n\"b\"\n\"a\"\n7\n\"kept\"\n\"b\"\n\"a\"\n").unwrap();
        for (dedupe, letters) in [(true, "kpdkipdd"), (false, "kpkkipkk")] {
            let records: Vec<_> = of(&path, dedupe).records(Warnings::Off).map(Result::unwrap).collect();
            assert_eq!(records.iter().map(letter).collect::<String>(), letters);
            assert!(records.iter().map(|record| record.number.get()).eq(1..=8));
        }
    }

    #[test]
    fn of_files_many_are_read_at_a_time_and_how_many_is_told_to_whoever_hands_them_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        fs::write(&path, "a\n".repeat(3 * AHEAD)).unwrap();
        let input = of(&path, true);
        let mut records = input.records(Warnings::Off);
        for number in 1..=3 * AHEAD {
            assert_eq!(records.next().unwrap().unwrap().number.get(), number as u64);
            assert_eq!(records.size_hint().0, (3 * AHEAD - number) % AHEAD);
        }
        assert!(records.next().is_none());
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
                assert_eq!(records.by_ref().take_while(Result::is_ok).count(), sound, "{order}");
                assert!(records.next().is_none());
            }
        }
    }

    #[test]
    fn of_a_pipe_a_record_is_passed_on_before_the_next_is_asked_for() {
        let (reader, mut writer) = pipe().unwrap();
        let mut records = of(Path::new(&format!("/dev/fd/{}", reader.as_raw_fd())), true).records(Warnings::Off);
        let (sender, arrived) = mpsc::channel();
        let thread =
            thread::spawn(move || records.by_ref().all(|record| sender.send(letter(&record.unwrap())).is_ok()));
        for (line, expected) in [("\"a\"\n", 'k'), ("\"b\"\n", 'k'), ("\"a\"\n", 'd')] {
            writer.write_all(line.as_bytes()).unwrap();
            assert_eq!(arrived.recv_timeout(Duration::from_secs(30)), Ok(expected));
        }
        drop(writer);
        assert!(thread.join().unwrap());
    }
}
