//! RFC 3339 times, as the API server checks them.

/// Whether the API server takes `text` as a `date-time`: a real date, hours, minutes and seconds, and a zone.
pub(super) fn is_date_time(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.split('t');
    match (parts.next(), parts.next()) {
        (Some(date), Some(time)) => is_date(date) && is_time(time),
        _ => false,
    }
}

fn is_date(text: &str) -> bool {
    let [year, month, day] = match text.split('-').collect::<Vec<_>>()[..] {
        [year, month, day] => [(year, 4), (month, 2), (day, 2)].map(|(part, width)| digits(part, width)),
        _ => return false,
    };
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else {
        return false;
    };
    let [hour, minute, second] = match clock.split(':').collect::<Vec<_>>()[..] {
        [hour, minute, second] => [hour, minute, second].map(|part| digits(part, 2)),
        _ => return false,
    };
    let in_range = matches!((hour, minute, second), (Some(0..=23), Some(0..=59), Some(0..=59)));
    in_range && is_zone(after_fraction(rest))
}

/// What comes after the fraction of a second, which any character but a line end may open.
fn after_fraction(text: &str) -> &str {
    let mut chars = text.chars();
    let opened = chars.next().is_some_and(|c| c != '\n');
    let digits = chars.as_str();
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    // A zone such as +01:00 looks like a fraction, too: the regexp of the API server then takes it as a zone.
    if opened && rest.len() < digits.len() && is_zone(rest) {
        rest
    } else {
        text
    }
}

fn is_zone(text: &str) -> bool {
    if text == "z" {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else {
        return false;
    };
    matches!(offset.split_once(':'), Some((hours, minutes)) if digits(hours, 2).is_some() && digits(minutes, 2).is_some())
}

fn digits(text: &str, width: usize) -> Option<u32> {
    let all = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_dates_with_a_zone_are_times() {
        for (text, good) in [
            ("2026-01-02T03:04:05Z", true),
            ("2026-01-02t23:59:59z", true),
            ("2026-01-02T03:04:05.123456789+01:00", true),
            ("2024-02-29T00:00:00-12:00", true),
            ("2026-02-29T00:00:00Z", false),
            ("2026-01-02T24:00:00Z", false),
            ("2026-01-02T03:04:60Z", false),
            ("2026-01-02T03:04:05", false),
            ("2026-01-02T3:04:05Z", false),
            ("2026-1-2T03:04:05Z", false),
            ("2026-01-02", false),
            ("tttt", false),
            ("", false),
        ] {
            assert_eq!(is_date_time(text), good, "{text}");
        }
    }
}
