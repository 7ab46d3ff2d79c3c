//! Credentials: who may come in.

use std::collections::HashMap;
use std::sync::Mutex;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};

use super::answer::Problem;
use super::lock::locked;

/// Checks credentials, and forgets them after a while where it is told to.
pub(super) struct Auth {
    token: Option<String>,
    expires_after: Option<u64>,
    /// How often each secret was accepted.
    accepted: Mutex<HashMap<String, u64>>,
}

impl Auth {
    /// Accepts `token`, or any if there is none, each `expires_after` times, or always if there is none.
    pub(super) fn new(token: Option<String>, expires_after: Option<u64>) -> Self {
        Self { token, expires_after, accepted: Mutex::default() }
    }

    /// 401 if credentials are absent or have expired, 400 (code 6003) if they are malformed, 403 if they are wrong.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let secret = secret(headers)?;
        if self.token.as_ref().is_some_and(|token| token != secret) {
            return Err(authentication_error(StatusCode::FORBIDDEN));
        }
        let Some(limit) = self.expires_after else { return Ok(()) };
        let mut accepted = locked(&self.accepted);
        let accepted = accepted.entry(secret.to_owned()).or_default();
        if *accepted >= limit {
            return Err(authentication_error(StatusCode::UNAUTHORIZED));
        }
        *accepted += 1;
        Ok(())
    }
}

fn secret(headers: &HeaderMap) -> Result<&str, Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(authorization) = text(AUTHORIZATION.as_str()) {
        let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
        let well_formed =
            scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(char::is_whitespace);
        return if well_formed { Ok(token) } else { Err(malformed()) };
    }
    match (text("x-auth-email"), text("x-auth-key")) {
        (None, None) => Err(authentication_error(StatusCode::UNAUTHORIZED)),
        (Some(email), Some(key)) if email.contains('@') && !key.is_empty() => Ok(key),
        _ => Err(malformed()),
    }
}

fn malformed() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, 6003, "Invalid request headers")
}

fn authentication_error(status: StatusCode) -> Problem {
    Problem::new(status, 10000, "Authentication error")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(auth: &Auth, headers: &[(&'static str, &'static str)]) -> Result<(), (u16, u64)> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        auth.check(&headers).map_err(|problem| (problem.status.as_u16(), problem.code))
    }

    #[test]
    fn credentials_are_judged() {
        let auth = Auth::new(Some("right".into()), None);
        let email = ("x-auth-email", "a@b.example");
        for (headers, expected) in [
            (&[("authorization", "Bearer right")][..], Ok(())),
            (&[("authorization", "bearer right")], Ok(())),
            (&[email, ("x-auth-key", "right")], Ok(())),
            (&[], Err((401, 10000))),
            (&[("authorization", "Bearer wrong")], Err((403, 10000))),
            (&[("authorization", "Bearer ")], Err((400, 6003))),
            (&[("authorization", "Bearer right right")], Err((400, 6003))),
            (&[("authorization", "Basic right")], Err((400, 6003))),
            (&[("authorization", "right")], Err((400, 6003))),
            (&[email, ("x-auth-key", "wrong")], Err((403, 10000))),
            (&[email], Err((400, 6003))),
            (&[("x-auth-key", "right")], Err((400, 6003))),
        ] {
            assert_eq!(checked(&auth, headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn without_a_token_any_will_do_but_none_will_not() {
        let auth = Auth::new(None, None);
        assert_eq!(checked(&auth, &[("authorization", "Bearer any")]), Ok(()));
        assert_eq!(checked(&auth, &[]), Err((401, 10000)));
    }

    #[test]
    fn credentials_expire_after_so_many_accepted_requests() {
        let auth = Auth::new(Some("right".into()), Some(2));
        let right = [("authorization", "Bearer right")];
        assert_eq!(checked(&auth, &right), Ok(()));
        assert_eq!(checked(&auth, &[("authorization", "Bearer wrong")]), Err((403, 10000)));
        assert_eq!(checked(&auth, &right), Ok(()));
        assert_eq!(checked(&auth, &right), Err((401, 10000)));
        let any = Auth::new(None, Some(1));
        assert_eq!(checked(&any, &right), Ok(()));
        assert_eq!(checked(&any, &right), Err((401, 10000)));
        assert_eq!(checked(&any, &[("authorization", "Bearer another")]), Ok(()));
    }
}
