//! Whole reports, from files to text, JSON and page.

use std::path::Path;

use super::*;

const HEADER: &str = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n";

fn row(record: u64, key: &str, status: &str, second: u32) -> String {
    let (answer, attempts) = match status {
        "failed" => ("403,10000,no", 2),
        "unknown" => (",,cut off", 3),
        "kept" | "invalid" | "duplicate" | "planned" => (",,", 0),
        _ => ("200,,", 1),
    };
    format!("{record},{key},{status},{answer},{attempts},{},2026-11-24T05:00:{second:02}.000Z\n", attempts * 20)
}

fn write(folder: &Path, name: &str, rows: &[String]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, HEADER.to_owned() + &rows.concat()).unwrap();
    path
}

fn review(paths: &[PathBuf]) -> (Review, Vec<String>) {
    let mut failed = Vec::new();
    let reports = Reports::open(paths.to_vec()).unwrap();
    let review = Review::of(&reports, |row| failed.push(row.key.to_string())).unwrap();
    (review, failed)
}

#[test]
fn parts_of_a_job_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(
        folder.path(),
        "1.csv",
        &[row(1, "a", "failed", 1), row(3, "c", "unknown", 2), row(5, "e", "invalid", 2), row(1, "a", "deleted", 30)],
    );
    let second = write(folder.path(), "2.csv", &[row(2, "b", "deleted", 3), row(3, "c", "failed", 9)]);
    let (review, failed) = review(&[first, second.clone()]);
    let counts = Status::ALL.map(|status| review.tally.get(status));
    assert_eq!(counts, [2, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    assert_eq!((review.inputs, review.rows, review.superseded()), (1, 6, 2));
    assert_eq!(failed, ["c"]);
    assert_eq!(review.resumable, [second]);
    // Requests and times are of the rows that count; the picture is of all that were sent.
    assert_eq!(review.attempts[..4], [0, 2, 1, 0]);
    assert_eq!((review.elapsed_ms(0.5), review.elapsed_ms(1.0)), (20, 40));
    assert_eq!(review.timeline.bins().iter().map(|bin| bin.total()).sum::<u64>(), 5);
    assert_eq!(review.timeline.span().as_secs(), 29);
    assert_eq!(review.timeline.pauses().0, 2);
}

#[test]
fn other_inputs_are_counted_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "1.csv", &[row(1, "a", "deleted", 1)]);
    let second = write(folder.path(), "2.csv", &[row(1, "b", "deleted", 2)]);
    let (review, _) = review(&[first.clone(), second, first]);
    assert_eq!((review.inputs, review.tally.total(), review.superseded()), (2, 2, 1));
    assert!(review.to_text().join("\n").contains("2 different inputs"));
}

#[test]
fn nothing_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let empty = write(folder.path(), "1.csv", &[]);
    let (review, _) = review(&[empty]);
    let lines = review.to_text();
    assert_eq!((lines.len(), lines[0].as_str(), lines[2].as_str()), (3, "1 report with 0 records", ""));
    assert!(lines[1].ends_with("no job file, so namespace, kind and end are unknown"), "{}", lines[1]);
    let json = serde_json::to_value(&review).unwrap();
    assert_eq!((&json["records"], &json["timeline"], &json["elapsed_ms"]["max"]), (&0.into(), &().into(), &().into()));
    assert!(page::html(&review, &[]).unwrap().contains("<h1>0 records</h1>"));
}

#[test]
fn a_plan_is_compared_key_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["a", "b", "c", "d"].map(|key| row(u64::from(key.as_bytes()[0]), key, "planned", 0));
    let plan = write(folder.path(), "plan.csv", &plan);
    // Other numbers, one refused meanwhile, one never reached, one that nobody planned.
    let rows = [
        row(1, "a", "deleted", 1),
        row(2, "b", "failed", 2),
        row(2, "b", "absent", 3),
        row(3, "c", "invalid", 3),
        row(4, "x", "deleted", 3),
        row(5, "y", "invalid", 3),
        row(6, "a", "duplicate", 3),
    ];
    let done = write(folder.path(), "done.csv", &rows);
    let diff = Diff::of(&plan, &Reports::open(vec![done.clone()]).unwrap()).unwrap();
    assert_eq!((diff.planned, diff.planned_not_gone(), diff.not_done, diff.unplanned.total()), (4, 2, 1, 1));
    assert_eq!((&diff.not_gone_keys[..], &diff.unplanned_keys[..]), (&["c".into(), "d".into()][..], &["x".into()][..]));
    assert!(diff.differs());

    let all = write(
        folder.path(),
        "all.csv",
        &["a", "b", "c", "d"].map(|key| row(9 + u64::from(key.as_bytes()[0]), key, "deleted", 1)),
    );
    let diff = Diff::of(&plan, &Reports::open(vec![all]).unwrap()).unwrap();
    assert!(!diff.differs(), "{diff:?}");

    let error = Diff::of(&done, &Reports::open(vec![done.clone()]).unwrap()).unwrap_err();
    assert!(matches!(error, ReviewError::NoPlan { .. }) && error.is_usage());
}

#[test]
fn nothing_foreign_is_markup_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=alert(1)>\u{202e}</script><script>";
    let path = folder.path().join("1.csv");
    let line = format!("1,{hostile},failed,400,,<b>no</b>&amp;,1,5,2026-11-24T05:00:00.000Z\n");
    std::fs::write(&path, HEADER.to_owned() + &line).unwrap();
    let (review, _) = review(&[path]);
    let html = page::html(&review, &[("<what>".into(), "cmd '<x>' && y".into())]).unwrap();
    assert!(
        !html.contains("<img") && !html.contains("<b>no") && !html.contains("<what>") && !html.contains('\u{202e}')
    );
    assert_eq!((html.matches("<script>").count(), html.matches("</script>").count()), (1, 1));
    assert!(html.contains("\\u{202e}"));
    // Nothing on it could ask anybody for anything.
    for reference in ["http:", "https:", "src=\"", "href=", "url(", "@import", "style=\""] {
        assert!(!html.contains(reference), "{reference}");
    }
}

#[test]
fn the_table_of_failures_is_capped_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (1..=1_205).map(|record| row(record, &format!("k{record}"), "failed", 1)).collect();
    let path = write(folder.path(), "1.csv", &rows);
    let (review, failed) = review(&[path]);
    assert_eq!((review.failures.len(), failed.len()), (FAILURE_ROWS, 1_205));
    let html = page::html(&review, &[]).unwrap();
    assert!(html.contains("The first 1,000 are listed; 205 more"));
    assert_eq!(html.matches("data-label=\"Record\"").count(), 1_000);
}

#[test]
fn percentiles_are_right_for_any_duration() {
    let folder = tempfile::tempdir().unwrap();
    for elapsed in [0, 3, 2_047, 5_000, 90_000, 86_400_000, u64::from(u32::MAX)] {
        let rows: Vec<_> =
            (1..=100).map(|n| format!("{n},k{n},deleted,200,,,1,{elapsed},2026-11-24T05:00:00.000Z\n")).collect();
        let path = write(folder.path(), &format!("{elapsed}.csv"), &rows);
        let (review, _) = review(&[path]);
        for quantile in [0.5, 0.9, 0.99, 1.0] {
            // Three digits.
            assert!(review.elapsed_ms(quantile).abs_diff(elapsed) <= elapsed / 1_000, "{elapsed} at {quantile}");
        }
    }
}
