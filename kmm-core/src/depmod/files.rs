//! The text files of an index.

use crate::depmod::Finding;
use crate::depmod::facts::Field;
use crate::depmod::index::Indexed;

/// The line of a module in `modules.dep`, without its end.
pub(crate) fn dependency_line(out: &mut Vec<u8>, module: &Indexed, modules: &[Indexed]) {
    out.extend_from_slice(module.path.as_bytes());
    out.push(b':');
    for needed in module.needs.iter().filter_map(|needed| modules.get(*needed)) {
        out.push(b' ');
        out.extend_from_slice(needed.path.as_bytes());
    }
}

/// `modules.dep`.
pub(crate) fn dependencies(modules: &[Indexed]) -> Vec<u8> {
    let mut out = Vec::new();
    for module in modules {
        dependency_line(&mut out, module, modules);
        out.push(b'\n');
    }
    out
}

/// `modules.alias`.
pub(crate) fn aliases(modules: &[Indexed]) -> Vec<u8> {
    let mut out = b"# Aliases extracted from modules themselves.\n".to_vec();
    for module in modules {
        for alias in module.facts.values(Field::Alias) {
            line(&mut out, &[b"alias ", alias, b" ", module.name.as_bytes()]);
        }
    }
    out
}

/// `modules.softdep`.
pub(crate) fn soft_dependencies(modules: &[Indexed]) -> Vec<u8> {
    let out = b"# Soft dependencies extracted from modules themselves.\n".to_vec();
    with_values(out, modules, Field::SoftDependency, b"softdep ")
}

/// `modules.weakdep`.
pub(crate) fn weak_dependencies(modules: &[Indexed]) -> Vec<u8> {
    let out = b"# Weak dependencies extracted from modules themselves.\n".to_vec();
    with_values(out, modules, Field::WeakDependency, b"weakdep ")
}

fn with_values(mut out: Vec<u8>, modules: &[Indexed], field: Field, command: &[u8]) -> Vec<u8> {
    for module in modules {
        for value in module.facts.values(field) {
            line(&mut out, &[command, module.name.as_bytes(), b" ", value]);
        }
    }
    out
}

/// `modules.symbols`.
pub(crate) fn symbols<'a>(symbols: impl Iterator<Item = (&'a [u8], &'a Indexed)>) -> Vec<u8> {
    let mut out = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
    for (symbol, owner) in symbols {
        line(&mut out, &[b"alias symbol:", symbol, b" ", owner.name.as_bytes()]);
    }
    out
}

/// `modules.devname`, which is empty where no module has a device name.
pub(crate) fn device_names(modules: &[Indexed], findings: &mut Vec<Finding>) -> Vec<u8> {
    let mut out = Vec::new();
    for module in modules {
        let (mut device, mut numbers) = (None, None);
        for alias in module.facts.values(Field::Alias) {
            if let Some(name) = alias.strip_prefix(b"devname:") {
                device = Some(name);
            } else if let Some((major, minor)) = device_numbers(alias, b"char-major-") {
                numbers = Some(('c', major, minor));
            } else if let Some((major, minor)) = device_numbers(alias, b"block-major-") {
                numbers = Some(('b', major, minor));
            }
            if device.is_some() && numbers.is_some() {
                break;
            }
        }
        let Some(device) = device else { continue };
        let Some((kind, major, minor)) = numbers else {
            findings.push(Finding::DeviceWithoutNumbers {
                module: module.name.clone(),
                device: String::from_utf8_lossy(device).into_owned(),
            });
            continue;
        };
        if out.is_empty() {
            out.extend_from_slice(b"# Device nodes to trigger on-demand module loading.\n");
        }
        let node = format!("{kind}{major}:{minor}");
        line(
            &mut out,
            &[module.name.as_bytes(), b" ", device, b" ", node.as_bytes()],
        );
    }
    out
}

/// `PREFIXmajor-minor`, whatever follows.
fn device_numbers(alias: &[u8], prefix: &[u8]) -> Option<(u32, u32)> {
    let (major, rest) = number(alias.strip_prefix(prefix)?)?;
    let (minor, _) = number(rest.strip_prefix(b"-")?)?;
    Some((major, minor))
}

/// A number as `scanf` reads `%u`: after white space, with a sign, cut to 32 bits.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = text.trim_ascii_start();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(count).filter(|_| count > 0)?;
    let value = std::str::from_utf8(digits).ok()?.parse::<u64>();
    let value = match value {
        Ok(value) if negative => value.wrapping_neg(),
        Ok(value) => value,
        Err(_) => u64::MAX,
    };
    Some(((value & 0xffff_ffff) as u32, rest))
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_read_as_scanf_reads_them() {
        for (alias, numbers) in [
            ("char-major-10-235", Some((10, 235))),
            ("char-major-10-235*", Some((10, 235))),
            ("char-major-10-*", None),
            ("char-major- 7-+1", Some((7, 1))),
            ("char-major-4294967296--1", Some((0, u32::MAX))),
            ("block-major-7-1", None),
        ] {
            assert_eq!(
                device_numbers(alias.as_bytes(), b"char-major-"),
                numbers,
                "{alias}"
            );
        }
    }
}
