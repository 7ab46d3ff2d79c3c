//! One file a subcommand: builds the parts, joins them, prints the summary. The only place where parts meet.

pub mod confirm;
