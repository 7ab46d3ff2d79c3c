//! What may have been meant by a name that does not exist.

/// How alike two names have to be for one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// The most names that are listed.
const MAX_LISTED: usize = 8;

/// `did you mean rate?`, or what there is.
pub(super) fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let folded = wrong.to_lowercase().replace('_', "-");
    let alike = known.iter().map(|name| (strsim::jaro_winkler(&folded, name), *name));
    match alike.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((likeness, name)) if likeness >= ALIKE => format!("did you mean {name}?"),
        _ => format!("known are {}", listed(known)),
    }
}

pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => "none".to_owned(),
        count if count > MAX_LISTED => format!("{} and {} more", names[..MAX_LISTED].join(", "), count - MAX_LISTED),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant() {
        assert_eq!(suggest("rates", ["rate", "retries"]), "did you mean rate?");
        assert_eq!(suggest("Account_Id", ["rate", "account-id"]), "did you mean account-id?");
        assert_eq!(suggest("zzz", ["rate", "retries"]), "known are rate, retries");
        assert_eq!(suggest("zzz", []), "known are none");
        assert!(suggest("zzz", ["rate"; 10]).ends_with(" and 2 more"));
    }
}
