//! How an input is taken apart.

/// The first lines of an input, each without its end, and what follows them.
pub(crate) fn lines<const N: usize>(input: &[u8]) -> ([&[u8]; N], &[u8]) {
    let mut rest = input;
    let lines = std::array::from_fn(|_| match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            line
        }
        None => std::mem::take(&mut rest),
    });
    (lines, rest)
}

/// The same for inputs that are texts; `None` for others.
pub(crate) fn texts<const N: usize>(input: &[u8]) -> Option<([&str; N], &str)> {
    let (lines, rest) = lines::<N>(input);
    let mut texts = [""; N];
    for (text, line) in texts.iter_mut().zip(lines) {
        *text = std::str::from_utf8(line).ok()?;
    }
    Some((texts, std::str::from_utf8(rest).ok()?))
}

/// An object's members as fields; none for anything else.
pub(crate) fn fields(json: &str) -> contactor_sync::Fields {
    let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let members = json.as_object().cloned().unwrap_or_default();
    members.into_iter().map(|(name, value)| (name, contactor_sync::Value::from_json(value))).collect()
}
