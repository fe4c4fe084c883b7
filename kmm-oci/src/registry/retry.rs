//! When a request is sent again.

use std::time::Duration;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use reqwest::header::RETRY_AFTER;

use super::options::Limits;

/// Whether a status passes.
pub(super) fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the registry wants to be left alone: `Retry-After`, in seconds or as a date.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The wait before try number `next` (the second is 2), or nothing where the registry asks for more than we wait.
pub(super) fn wait(limits: &Limits, next: u32, asked: Option<Duration>) -> Option<Duration> {
    let doubled = limits.backoff.saturating_mul(1 << next.saturating_sub(2).min(10));
    // Between three quarters and all of it, so that many who fail together do not come back together.
    let own = doubled
        .min(limits.longest_wait)
        .mul_f64(0.75 + fastrand::f64() / 4.0);
    match asked {
        Some(asked) if asked > limits.longest_wait => None,
        Some(asked) => Some(asked.max(own)),
        None => Some(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            asked(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(asked("7"), Some(7));
        assert_eq!(asked(" 7 "), Some(7));
        assert_eq!(asked("Sun, 09 Sep 2001 01:46:45 GMT"), Some(5));
        assert_eq!(asked("Sun, 09 Sep 2001 01:46:30 GMT"), Some(0));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("-1"), None);
        assert_eq!(asked("99999999999999999999999"), None);
    }

    #[test]
    fn waits_grow_and_end() {
        let limits = Limits::default();
        for next in 2..60 {
            let own = wait(&limits, next, None).unwrap();
            assert!(own <= limits.longest_wait && own >= limits.backoff.mul_f64(0.75));
        }
        assert!(wait(&limits, 4, None) > wait(&limits, 2, None));
        assert_eq!(
            wait(&limits, 2, Some(Duration::from_secs(9))),
            Some(Duration::from_secs(9))
        );
        assert_eq!(wait(&limits, 2, Some(Duration::from_secs(3600))), None);
    }
}
