use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::platform::testing::assert_mode;

fn input(name: &str, hash: &str) -> Input {
    Input { path: name.to_owned(), bytes: Some(7), hash: Some(format!("sha256:{hash}")), records: None }
}

fn stdin() -> Input {
    Input { path: "-".to_owned(), bytes: None, hash: None, records: None }
}

fn identity() -> Identity {
    Identity {
        base_url: Some("https://h/v4".to_owned()),
        account_id: Some("a".to_owned()),
        namespace_id: Some("n".to_owned()),
        namespace_title: Some("t".to_owned()),
        shard: Some("1/2".to_owned()),
        filters: Filters {
            names: Names::new(vec!["p".to_owned()], vec![vec!["o".to_owned()]]),
            prefix: vec!["x".to_owned()],
            ..Filters::default()
        },
        inputs: vec![input("keys.txt", "1"), input("more.txt", "2")],
        ..Identity::new(Kind::Delete)
    }
}

#[test]
fn it_is_read_back_as_it_was_written_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("r.csv");
    assert!(JobFile::read(&report).unwrap().is_none());
    let flags = BTreeMap::from([("bulk".to_owned(), Value::from(100))]);
    let mut file = JobFile::new(identity(), flags);
    let run = Run::starting(UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
    file.runs.push(run.clone());
    let ended_at = Some(run.started_at + Duration::from_secs(1));
    file.runs.push(Run { ended_at, requests: Some(3), stopped: Some("outage".to_owned()), exit_code: Some(5), ..run });
    file.write(&report).unwrap();
    assert_eq!(JobFile::read(&report).unwrap(), Some(file.clone()));
    assert_eq!(file.last_run().and_then(|run| run.exit_code), Some(5));
    let path = JobFile::path(&report);
    assert!(path.ends_with("r.csv.job.json"));
    assert_mode(&path, 0o600);
    // Members that a later version adds are no harm.
    let text = fs::read_to_string(&path).unwrap().replacen('{', "{\"new\":1,", 1);
    fs::write(&path, text).unwrap();
    assert_eq!(JobFile::read(&report).unwrap(), Some(file));
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("r.csv");
    JobFile::new(identity(), BTreeMap::new()).write(&report).unwrap();
    let path = JobFile::path(&report);
    let whole = fs::read_to_string(&path).unwrap();
    for end in [0, 1, whole.len() / 2, whole.len() - 3] {
        fs::write(&path, &whole[..end]).unwrap();
        let error = JobFile::read(&report).unwrap_err();
        assert!(matches!(error, JobFileError::Damaged { .. }) && error.is_usage(), "{end}: {error}");
    }
    fs::write(&path, "{}").unwrap();
    assert!(matches!(JobFile::read(&report), Err(JobFileError::Damaged { .. })));
    fs::write(&path, whole.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    let error = JobFile::read(&report).unwrap_err();
    assert!(error.to_string().contains("schema 2"), "{error}");
}

#[test]
fn a_job_that_sent_something_says_in_which_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("r.csv");
    let is_taken = |identity: Identity, requests: &[Option<u64>]| {
        let mut file = JobFile::new(identity, BTreeMap::new());
        file.runs = requests.iter().map(|&requests| Run { requests, ..Run::starting(UNIX_EPOCH) }).collect();
        file.write(&report).unwrap();
        match JobFile::read(&report) {
            Ok(_) => true,
            Err(JobFileError::Damaged { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    };
    for kind in [Kind::Delete, Kind::Restore, Kind::DryRun, Kind::Rehearsal, Kind::RestoreDryRun] {
        let free = !kind.is_resumable();
        let whole = Identity { kind, ..identity() };
        for (lacking, is_free) in [
            (Identity { base_url: None, ..whole.clone() }, free),
            (Identity { account_id: None, ..whole.clone() }, true),
            (Identity { namespace_id: None, ..whole.clone() }, true),
        ] {
            for requests in [&[][..], &[None], &[Some(0), Some(7)]] {
                assert_eq!(is_taken(lacking.clone(), requests), free, "{lacking:?} {requests:?}");
            }
            // It had no reason to look its namespace up.
            assert_eq!(is_taken(lacking.clone(), &[Some(0)]), is_free, "{lacking:?}");
        }
        assert!(is_taken(Identity { namespace_title: None, ..whole }, &[Some(7)]));
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("r.csv");
    let path = JobFile::path(&report);
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert!(matches!(JobFile::read(&report), Err(JobFileError::NotRegular { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(JobFile::read(&report), Err(JobFileError::NotRegular { .. })));
}

#[test]
fn every_member_of_an_identity_makes_another_job() {
    let then = identity();
    assert_eq!(then.difference(&then), None);
    let text = |text: &str| Some(text.to_owned());
    let filters = |change: fn(&mut Filters)| {
        let mut filters = identity().filters;
        change(&mut filters);
        Identity { filters, ..identity() }
    };
    for (now, what) in [
        (Identity { kind: Kind::Restore, ..identity() }, "kind"),
        (Identity { base_url: text("https://g/v4"), ..identity() }, "base URL"),
        (Identity { account_id: text("b"), ..identity() }, "account"),
        (Identity { namespace_id: text("m"), ..identity() }, "namespace"),
        (Identity { namespace_id: None, namespace_title: text("u"), ..identity() }, "namespace"),
        (Identity { shard: text("2/2"), ..identity() }, "shard"),
        (Identity { shard: None, ..identity() }, "shard"),
        (filters(|filters| filters.names.protect.clear()), "--protect"),
        (filters(|filters| filters.names.only.push(Vec::new())), "--only"),
        (filters(|filters| filters.prefix.clear()), "--prefix"),
        (filters(|filters| filters.all = true), "--all"),
        (filters(|filters| filters.expiring_before = Some("7d".to_owned())), "--expiring-before"),
        (filters(|filters| filters.without_expiration = true), "--without-expiration"),
        (filters(|filters| filters.metadata.push("a=b".to_owned())), "--metadata"),
        (Identity { inputs: vec![input("keys.txt", "1")], ..identity() }, "input"),
        (Identity { inputs: vec![input("keys.txt", "1"), input("more.txt", "3")], ..identity() }, "input"),
        (Identity { inputs: vec![input("more.txt", "2"), input("keys.txt", "1")], ..identity() }, "input"),
        (Identity { inputs: vec![stdin(), input("more.txt", "3")], ..identity() }, "input"),
    ] {
        let difference = then.difference(&now).unwrap();
        assert_eq!(difference.what, what);
        assert_ne!(difference.then, difference.now, "{what}");
    }
}

#[test]
fn what_is_not_known_yet_is_as_it_was() {
    let mut now = Identity::new(Kind::Delete);
    now.complete(&identity());
    let place = |of: &Identity| [&of.base_url, &of.account_id, &of.namespace_id, &of.namespace_title].map(Clone::clone);
    assert_eq!(place(&now), place(&identity()));
    let renamed = Identity { namespace_title: Some("renamed".to_owned()), ..identity() };
    now = renamed.clone();
    now.complete(&identity());
    assert_eq!(now, renamed);
}

#[test]
fn a_difference_names_what_one_job_lacks() {
    let then = identity();
    let text = |now: &Identity| then.difference(now).map(|difference| (difference.then, difference.now));
    let found = |then: &str, now: &str| Some((then.to_owned(), now.to_owned()));
    assert_eq!(text(&Identity { shard: None, ..identity() }), found("1/2", "none"));
    let mut filters = identity().filters;
    filters.names.only.clear();
    assert_eq!(text(&Identity { filters, ..identity() }), found("o", "none"));
    let mut filters = identity().filters;
    filters.prefix.clear();
    assert_eq!(text(&Identity { filters, ..identity() }), found("x", "none"));
}

#[test]
fn a_namespace_is_known_by_its_id_or_by_its_title() {
    let known = |id: bool, title: bool| {
        let of = |known: bool| known.then(|| "n".to_owned());
        Identity { namespace_id: of(id), namespace_title: of(title), ..Identity::new(Kind::DryRun) }.has_namespace()
    };
    assert_eq!(
        [known(true, true), known(true, false), known(false, true), known(false, false)],
        [true, true, true, false]
    );
}

#[test]
fn only_statuses_that_occurred_are_counted() {
    let mut tally = Tally::default();
    for status in [Status::Deleted, Status::Failed, Status::Deleted] {
        tally.add(status);
    }
    assert_eq!(counts(&tally), BTreeMap::from([("deleted".to_owned(), 2), ("failed".to_owned(), 1)]));
}

#[test]
fn what_is_only_said_in_another_way_is_the_same_job() {
    let names = |protect: &[&str]| Names::new(protect.iter().map(|&text| text.to_owned()).collect(), Vec::new());
    assert_eq!(names(&["a", "b"]), names(&["b", "a", "b"]));
    for now in [
        Identity { namespace_title: Some("renamed".to_owned()), ..identity() },
        Identity { namespace_id: None, ..identity() },
        Identity { inputs: vec![input("moved.txt", "1"), input("-", "2")], ..identity() },
        Identity { inputs: vec![stdin()], ..identity() },
        Identity { base_url: None, account_id: None, ..identity() },
    ] {
        assert_eq!(identity().difference(&now), None, "{now:?}");
    }
}
