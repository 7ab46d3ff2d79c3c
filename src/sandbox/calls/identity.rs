//! Who asks: what a token says of itself, and whose a global key is.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::payload::{Call, Done};
use crate::sandbox::account::Account;
use crate::sandbox::answer::{Problem, success};

/// The id of the one token there is.
const TOKEN: &str = "5a4db0787a0d4f0e8e0c8a5ca9d4c3f2";

/// A token is known only where it belongs: at its user or at its account. A global key is no token.
pub(super) fn verified(account: &Account, call: &Call<'_>) -> Result<Done, Problem> {
    let identity = &account.options.identity;
    if identity.oauth || email(call).is_some() || identity.owned_by_account != call.target.account.is_some() {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, 1000, "Invalid API Token"));
    }
    Ok(Done::unchanged(success(&described(account))))
}

/// A description that only few tokens may read.
pub(super) fn token(account: &Account, call: &Call<'_>, id: &str) -> Result<Done, Problem> {
    let identity = &account.options.identity;
    let Some(permissions) = &identity.permissions else {
        return Err(Problem::new(StatusCode::FORBIDDEN, 9109, "Unauthorized to access requested resource"));
    };
    if id != TOKEN || identity.owned_by_account != call.target.account.is_some() {
        return Err(Problem::new(StatusCode::NOT_FOUND, 1003, "Token not found"));
    }
    let groups: Vec<_> = permissions.iter().map(|name| json!({"id": name.to_lowercase(), "name": name})).collect();
    let id = account.options.account.as_deref().unwrap_or("*");
    let resources = json!({format!("com.cloudflare.api.account.{id}"): "*"});
    let mut result = described(account);
    result["name"] = "sandbox token".into();
    result["policies"] = json!([{"id": "p", "effect": "allow", "permission_groups": groups, "resources": resources}]);
    Ok(Done::unchanged(success(&result)))
}

/// The user of a global key; a token without the permission to read it is refused.
pub(super) fn user(call: &Call<'_>) -> Result<Done, Problem> {
    let Some(email) = email(call) else {
        return Err(Problem::new(StatusCode::FORBIDDEN, 9109, "Unauthorized to access requested resource"));
    };
    Ok(Done::unchanged(success(&json!({"id": "7c5dae5552338874e5053f2534d2767a", "email": email}))))
}

fn email<'a>(call: &'a Call<'_>) -> Option<&'a str> {
    call.head.headers().get("x-auth-email").and_then(|email| email.to_str().ok())
}

fn described(account: &Account) -> Value {
    let identity = &account.options.identity;
    let mut result = json!({"id": TOKEN, "status": identity.status});
    if let Some(moment) = &identity.expires_on {
        result["expires_on"] = moment.as_str().into();
    }
    result
}
