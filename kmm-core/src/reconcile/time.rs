//! Readings of a clock that the caller owns.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A reading of the wall clock: seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads a time as Kubernetes writes it (`2026-11-21T07:58:16Z`, fractions dropped); `None` where it is none.
    ///
    /// # Example: a day
    ///
    /// ```
    /// use kmm_core::reconcile::Timestamp;
    ///
    /// assert_eq!(Timestamp::parse("1970-01-02T00:00:01Z"), Some(Timestamp(86_401)));
    /// assert_eq!(Timestamp::parse("yesterday"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once('T')?;
        let clock = rest.strip_suffix('Z')?;
        let clock = clock.split_once('.').map_or(clock, |(seconds, _)| seconds);
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(clock, ':')?;
        let valid = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..=9999).contains(&year)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second);
        valid.then(|| Self(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    /// How long it is until `self`, seen from `now`; zero where that is past.
    pub fn after(self, now: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0))
    }

    /// The time that long after.
    pub fn plus(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    /// As Kubernetes writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// How long to wait before attempt `attempt + 1`: 10 s after the first, doubled each time, 5 minutes at most.
///
/// As the kubelet waits before it starts a container again, so that both ways to fail are equally patient.
pub fn backoff(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(5);
    Duration::from_secs((10_u64 << doublings).min(300))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day that is so many days after 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let of_cycle = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_cycle + of_cycle / 4 - of_cycle / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = of_cycle + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_kubernetes() {
        assert_eq!(
            Timestamp::parse("2026-11-21T07:58:16Z"),
            Some(Timestamp(1_795_247_896))
        );
        assert_eq!(
            Timestamp::parse("2024-02-29T00:00:00.5Z"),
            Some(Timestamp(1_709_164_800))
        );
        for text in [
            "",
            "2026-11-21",
            "2026-13-01T00:00:00Z",
            "2026-11-21T07:58Z",
            "a-b-cTd:e:fZ",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for days in -1_000..40_000 {
            let time = Timestamp(days * 86_400 + 3_723);
            assert_eq!(Timestamp::parse(&time.to_string()), Some(time), "{time}");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let waits: Vec<u64> = (0..8).map(|attempt| backoff(attempt).as_secs()).collect();
        assert_eq!(waits, [10, 10, 20, 40, 80, 160, 300, 300]);
    }
}
