//! What a registry asks for: the `WWW-Authenticate` header.

use http_auth::parser::ChallengeParser;

/// The longest header that is read, in bytes.
const LONGEST: usize = 8 << 10;

/// A way to say who one is that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token from a token server.
    Bearer {
        /// Where tokens are.
        realm: String,
        /// What they are for, in the token server's words.
        service: Option<String>,
    },
}

impl Challenge {
    /// The best of the challenges in these headers: a token before a password. Headers that cannot be read are passed
    /// over, as are schemes that registries do not use.
    ///
    /// # Example: Docker Hub's challenge
    ///
    /// ```
    /// use kmm_oci::registry::Challenge;
    ///
    /// let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
    /// let Some(Challenge::Bearer { realm, service }) = Challenge::choose([header]) else { unreachable!() };
    /// assert_eq!(realm, "https://auth.docker.io/token");
    /// assert_eq!(service.as_deref(), Some("registry.docker.io"));
    /// ```
    pub fn choose<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let short = headers
            .into_iter()
            .filter(|header| header.len() <= LONGEST)
            .take(16);
        let all: Vec<Self> = short.flat_map(read).collect();
        let bearer = all
            .iter()
            .find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(all.first()).cloned()
    }
}

fn read(header: &str) -> Vec<Challenge> {
    // What stands before the first error still counts.
    let parsed = ChallengeParser::new(header).map_while(Result::ok);
    let known = parsed.filter_map(|challenge| {
        let parameter = |name: &str| {
            let found = challenge
                .params
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found
                .map(|(_, value)| value.to_unescaped())
                .filter(|value| !value.is_empty())
        };
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !challenge.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Challenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
        })
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_comes_before_a_password() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
            })
        };
        for (headers, expected) in [
            (&["Basic realm=\"x\""][..], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (
                &["BEARER Realm=\"https://a/t\" , service=\"s \\\"q\\\"\""],
                bearer("https://a/t", Some("s \"q\"")),
            ),
            (
                &["Basic realm=\"x\", Bearer realm=\"https://a/t\""],
                bearer("https://a/t", None),
            ),
            (
                &["Basic realm=\"x\"", "Bearer realm=\"https://a/t\""],
                bearer("https://a/t", None),
            ),
            (
                &["Bearer service=\"s\"", "Basic realm=\"x\""],
                Some(Challenge::Basic),
            ),
            (&["Bearer realm=\"\""], None),
            (&["Negotiate", "Digest realm=\"x\""], None),
            (&["Bearer realm=\"open"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(
                Challenge::choose(headers.iter().copied()),
                expected,
                "{headers:?}"
            );
        }
        let long = format!("Bearer realm=\"https://{}\"", "a".repeat(LONGEST));
        assert_eq!(Challenge::choose([long.as_str()]), None);
    }

    proptest! {
        #[test]
        fn never_panics(header in "(Bearer |Basic |realm=|service=|\"|\\\\|,|=| |[ -~]|.){0,20}") {
            let _ = Challenge::choose([header.as_str()]);
        }
    }
}
