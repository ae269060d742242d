//! What a request to a partner may be, whoever asks for it. The host holds each request of a connector to it; a manifest, which says how
//! the credential is sent with all of them, is held to it when it is read.

/// Headers that are the host's to set, or that would change where a request goes or what it does: with a method override a
/// read, which a preview lets through, would be a write. Compressed or in pieces, an answer could repeat the credential unseen.
const HOST_HEADERS: [&str; 23] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// The beginning of further headers of that kind: `x-forwarded-for`, `-host`, `-prefix`, ….
const FORWARDED: &str = "x-forwarded-";

/// Those of them that are there to carry a credential to whom a request is for.
const OF_CREDENTIALS: [&str; 2] = ["authorization", "cookie"];

/// Whether a header is the host's to set, and no connector's.
pub fn is_host_header(name: &str) -> bool {
    let begins = |beginning: &str| {
        name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    HOST_HEADERS.iter().any(|host| host.eq_ignore_ascii_case(name)) || begins(FORWARDED)
}

/// Whether a manifest may have its credential sent in this header.
pub(crate) fn takes_credential(name: &str) -> bool {
    !is_host_header(name) || OF_CREDENTIALS.iter().any(|header| header.eq_ignore_ascii_case(name))
}

/// Whether a path stays below the address that it is put behind, however a server reads it.
///
/// # Errors
/// What is wrong with it, in words that do not repeat it.
pub fn check_path(path: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(why.to_owned());
    if !path.starts_with('/') {
        return refuse("expected a path that begins with `/`");
    }
    if path.contains("//") {
        return refuse("an empty part could be read as a host");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%".contains(c);
    if let Some(c) = path.chars().find(|c| !allowed(*c)) {
        return Err(format!("the character {c:?} has to be percent-encoded"));
    }
    let lower = path.to_ascii_lowercase();
    let decoded = lower.replace("%2e", ".").replace("%2f", "/").replace("%3b", ";");
    // Some servers cut a part at its first `;` before they resolve dots.
    let dots = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    if decoded.split('/').any(dots) {
        return refuse("`.` and `..` are not allowed");
    }
    let encoded = ["%00", "%0a", "%0d", "%5c"];
    if decoded.contains("//") || encoded.iter().any(|byte| lower.contains(byte)) {
        return refuse("an encoded separator or control character is not allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_the_hosts_is_known_in_any_case_and_two_of_them_carry_credentials() {
        for name in ["host", "Host", "X-HTTP-Method-Override", "X-Forwarded-Prefix", "x-forwarded-"] {
            assert!(is_host_header(name) && !takes_credential(name), "{name}");
        }
        for name in ["Authorization", "cookie"] {
            assert!(is_host_header(name) && takes_credential(name), "{name}");
        }
        for name in ["X-Api-Key", "x-forwarded", "x-hosts", "", "é-forwarded-é"] {
            assert!(!is_host_header(name) && takes_credential(name), "{name}");
        }
    }

    #[test]
    fn a_path_that_a_server_could_read_as_another_one_is_refused() {
        for path in ["/", "/token", "/a/b.json", "/a;b=c/d", "/x@y", "/a%20b", "/..."] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for path in
            ["", "token", "//x", "/../x", "/a/%2E%2e/b", "/a/..;b", "/a%5cb", "/a?b", "/a b", "/a%2fb/%2f"]
        {
            assert!(check_path(path).is_err(), "{path}");
        }
    }
}
