//! The floor: one prebuilt request sent again and again by reqwest, its answer read, and nothing else done.

use std::path::Path;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::{Certificate, Client, Method};
use tokio::time::Instant;

use crate::Outcome;

/// Sends `requests` requests, `in_flight` at once, and prints how many there were a second.
///
/// The client is set up as kvsweep's own, so that the comparison is of what is done around it.
pub(crate) async fn run(url: &str, requests: u64, in_flight: u64, cert: Option<&Path>) -> Outcome {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = match cert {
        Some(path) => vec![Certificate::from_pem(&std::fs::read(path)?)?],
        None => Vec::new(),
    };
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(usize::try_from(in_flight)?)
        .tcp_nodelay(true)
        .no_proxy()
        .tls_certs_only(roots)
        .build()?;
    let request = client.request(Method::DELETE, url).bearer_auth("any").build()?;
    let start = Instant::now();
    // Loops rather than one future a request: the cheapest way to keep so many in flight.
    let mut loops = (0..in_flight)
        .map(|index| {
            let (client, request) = (client.clone(), &request);
            let share = requests / in_flight + u64::from(index < requests % in_flight);
            async move {
                for _ in 0..share {
                    let request = request.try_clone().ok_or("the request cannot be cloned")?;
                    let answer = client.execute(request).await?;
                    if !answer.status().is_success() {
                        return Err(format!("HTTP {}", answer.status()).into());
                    }
                    std::hint::black_box(answer.bytes().await?);
                }
                Outcome::Ok(())
            }
        })
        .collect::<FuturesUnordered<_>>();
    while let Some(ended) = loops.next().await {
        ended?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{{\"requests\":{requests},\"seconds\":{seconds:.3},\"per_second\":{:.0}}}", requests as f64 / seconds);
    Ok(())
}
