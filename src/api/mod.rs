//! The Cloudflare KV REST API and nothing else: no file, no terminal, no retry.

pub mod advice;
pub mod answer;
