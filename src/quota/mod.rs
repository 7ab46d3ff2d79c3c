//! The budget of requests.

mod rate;

pub use rate::{Rate, RateError};
