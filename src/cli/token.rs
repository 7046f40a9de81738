use std::process::ExitCode;

use super::{USAGE, fail};
use crate::auth::Auth;
use crate::config::{Config, Tier};
use crate::error::Error;
use crate::id::UserId;

/// Longest life of a token, in seconds: ten years.
const MAX_TTL: u64 = 10 * 365 * 24 * 3600;

/// Prints a token and nothing else.
pub(super) fn run(config: &Config, user: String, tier: Tier, ttl: u64) -> ExitCode {
    let auth = match Auth::open(config) {
        Ok(auth) => auth,
        Err(error) => return fail(1, &error),
    };
    match auth.issue(&UserId(user), tier, ttl) {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error @ Error::InvalidRequest { .. }) => fail(USAGE, &error),
        Err(error) => fail(1, &error),
    }
}

/// Reads `24h`, `90m`, `3600s` or `7d` as seconds.
pub(super) fn ttl(text: &str) -> Result<u64, String> {
    let seconds = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return None,
        };
        let number: u64 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
        number.checked_mul(unit).filter(|seconds| (1..=MAX_TTL).contains(seconds))
    };
    seconds().ok_or_else(|| "takes a whole number and s, m, h or d, such as 24h; at most 3650d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_read_with_their_unit() {
        for (text, seconds) in
            [("24h", 86_400), ("90m", 5400), ("3600s", 3600), ("7d", 604_800), ("3650d", MAX_TTL)]
        {
            assert_eq!(ttl(text), Ok(seconds));
        }
        for text in
            ["", "h", "24", "0s", "-1h", "+1h", "1.5h", "1w", "3651d", "99999999999999999999d", "1é", "1 h"]
        {
            assert!(ttl(text).is_err(), "{text:?}");
        }
    }
}
