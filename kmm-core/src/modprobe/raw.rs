//! What a command line of modprobe that somebody wrote loads.

/// The options that take a value.
const WITH_VALUE: [(char, &str); 4] = [
    ('C', "config"),
    ('d', "dirname"),
    ('S', "set-version"),
    ('w', "wait"),
];

/// What a command line of modprobe asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The modules or aliases that are loaded, in order.
    pub modules: Vec<&'a str>,
    /// The parameters of the first one.
    pub parameters: Vec<&'a str>,
}

/// Reads the arguments of modprobe, as `rawArgs.load` holds them. What removes or only shows loads nothing.
///
/// # Example: a module with a parameter
///
/// ```
/// use kmm_core::modprobe::asked;
///
/// let line = ["-vd", "/tmp/opt", "acme_nic", "debug=1"].map(str::to_owned);
/// let asked = asked(&line);
/// assert_eq!(asked.modules, ["acme_nic"]);
/// assert_eq!(asked.parameters, ["debug=1"]);
/// ```
pub fn asked(arguments: &[String]) -> Asked<'_> {
    let mut words: Vec<&str> = Vec::new();
    let (mut all, mut loads) = (false, true);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        if argument == "--" {
            words.extend(rest.by_ref());
        } else if let Some(long) = argument.strip_prefix("--") {
            match long {
                "all" => all = true,
                "remove" | "showconfig" | "resolve-alias" | "show-depends" | "show" | "dry-run"
                | "version" | "help" | "show-modversions" | "dump-modversions" => loads = false,
                _ if WITH_VALUE.iter().any(|(_, name)| *name == long) => {
                    let _ = rest.next();
                }
                _ => {}
            }
        } else if let Some(short) = argument.strip_prefix('-').filter(|short| !short.is_empty()) {
            for (at, letter) in short.char_indices() {
                match letter {
                    'a' => all = true,
                    'r' | 'c' | 'R' | 'D' | 'n' | 'V' | 'h' => loads = false,
                    _ if WITH_VALUE.iter().any(|(name, _)| *name == letter) => {
                        // The value is the rest of the argument, or the next one.
                        if at + letter.len_utf8() == short.len() {
                            let _ = rest.next();
                        }
                        break;
                    }
                    _ => {}
                }
            }
        } else {
            words.push(argument);
        }
    }
    match words.split_first() {
        _ if !loads => Asked::default(),
        Some((first, parameters)) if !all => Asked {
            modules: vec![first],
            parameters: parameters.to_vec(),
        },
        _ => Asked {
            modules: words,
            parameters: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_their_values_are_no_modules() {
        for (line, modules, parameters) in [
            ("acme", "acme", ""),
            ("-v -d /tmp/opt acme debug=1 x", "acme", "debug=1 x"),
            ("-vd /tmp/opt acme", "acme", ""),
            ("-d/tmp/opt acme", "acme", ""),
            ("--dirname /tmp/opt --set-version=6.1 acme", "acme", ""),
            ("-S 6.1 -a one two", "one two", ""),
            ("--all one two", "one two", ""),
            ("-- -acme", "-acme", ""),
            ("-rv acme", "", ""),
            ("--show-depends acme", "", ""),
            ("", "", ""),
            ("-d", "", ""),
        ] {
            let line: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let asked = asked(&line);
            assert_eq!(asked.modules.join(" "), modules, "{line:?}");
            assert_eq!(asked.parameters.join(" "), parameters, "{line:?}");
        }
    }
}
