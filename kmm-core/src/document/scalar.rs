//! What a plain scalar is, as Kubernetes clients read it.
//!
//! They read YAML with sigs.k8s.io/yaml, which is go-yaml v2: YAML 1.1 with exceptions. What surprises:
//!
//! - `y`, `yes`, `on`, `n`, `no`, `off` are truth values, in lower case, upper case, and with a capital;
//! - a number that begins with `0` is octal: `010` is 8, but `08` is the float 8;
//! - `_` in a number is dropped, wherever it stands: `1__0` is 10;
//! - `5.10` is the float 5.1;
//! - a float without a fraction is an integer afterwards, because it goes through JSON: `1e3` is 1000;
//! - numbers with colons, and timestamps, are strings.

#[cfg(feature = "yaml")]
use serde_json::Number;

/// What a scalar is.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that an `i64` holds.
    Int(i64),
    /// A larger one, that an `u64` holds.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A string.
    String,
}

/// What the plain, untagged scalar `text` is.
///
/// # Example: versions and booleans
///
/// ```
/// use kmm_core::document::{Scalar, resolve_scalar};
///
/// assert_eq!(resolve_scalar("5.10"), Scalar::Float(5.1));
/// assert_eq!(resolve_scalar("on"), Scalar::Bool(true));
/// assert_eq!(resolve_scalar("5.14.0"), Scalar::String);
/// ```
pub fn resolve_scalar(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => dotted(text),
        Some(b'0'..=b'9' | b'+' | b'-') => number(text),
        _ => Scalar::String,
    }
}

/// What `scalar`, written as `text`, becomes as the key of a JSON object; `None` where the clients refuse it.
#[cfg(feature = "yaml")]
pub(crate) fn key_text(scalar: &Scalar, text: &str) -> Option<String> {
    match scalar {
        Scalar::Null | Scalar::Uint(_) => None,
        Scalar::Bool(value) => Some(value.to_string()),
        Scalar::Int(value) => Some(value.to_string()),
        Scalar::Float(value) => Some(float_key(*value)),
        Scalar::String => Some(text.to_owned()),
    }
}

/// The JSON number that Go writes for `value`; `None` where JSON has none.
#[cfg(feature = "yaml")]
pub(crate) fn json_float(value: f64) -> Option<Number> {
    const BELOW_I64: f64 = 9_223_372_036_854_775_808.0;
    let negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() < BELOW_I64 && !negative_zero {
        // In range: checked above.
        return Some(Number::from(value as i64));
    }
    if value.fract() == 0.0 && (BELOW_I64..2.0 * BELOW_I64).contains(&value) {
        // In range and positive: checked above.
        return Some(Number::from(value as u64));
    }
    Number::from_f64(value)
}

/// Whether `text` begins as every timestamp of YAML does: `2001-1`.
pub(crate) fn is_date(text: &str) -> bool {
    let year = text.split('-').next().unwrap_or("");
    let follows = text
        .as_bytes()
        .get(4..6)
        .is_some_and(|b| b[0] == b'-' && b[1].is_ascii_digit());
    year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && follows
}

fn number(text: &str) -> Scalar {
    let plain = text.replace('_', "");
    if let Some(value) = parse_i64(&plain) {
        return Scalar::Int(value);
    }
    if let Some(value) = parse_u64(&plain) {
        return Scalar::Uint(value);
    }
    if is_float(&plain) {
        return finite(&plain);
    }
    // `0b-1`: go-yaml reads the digits behind the prefix as a signed number.
    let digits = plain
        .strip_prefix("0b")
        .filter(|digits| is_signed_radix(digits, 2));
    match digits.and_then(|digits| i64::from_str_radix(digits, 2).ok()) {
        Some(value) => Scalar::Int(value),
        None => Scalar::String,
    }
}

/// A scalar that begins with a dot, which go-yaml gives to Go's `ParseFloat` as it stands.
fn dotted(text: &str) -> Scalar {
    let bytes = text.as_bytes();
    let lone = |i: usize| {
        let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
        bytes[i] != b'_' || digit(i.checked_sub(1).and_then(|i| bytes.get(i))) && digit(bytes.get(i + 1))
    };
    let plain = text.replace('_', "");
    if is_float(&plain) && (0..bytes.len()).all(lone) {
        finite(&plain)
    } else {
        Scalar::String
    }
}

fn finite(text: &str) -> Scalar {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Scalar::Float(value),
        _ => Scalar::String,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

/// Go's `ParseInt(text, 0, 64)`, without underscores.
fn parse_i64(text: &str) -> Option<i64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = i128::from(parse_u64(rest)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Go's `ParseUint(text, 0, 64)`, without underscores.
fn parse_u64(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let fits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    fits.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

fn is_signed_radix(text: &str, radix: u32) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
}

/// Go's `FormatFloat(value, 'g', -1, 32)`, with the names that YAML has for what is no number.
#[cfg(feature = "yaml")]
fn float_key(value: f64) -> String {
    // Narrowed on purpose: that is how the clients write keys.
    let narrow = value as f32;
    if narrow.is_nan() {
        return ".nan".to_owned();
    }
    if narrow.is_infinite() {
        return if narrow > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{narrow:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    } else {
        format!("{narrow}")
    }
}
