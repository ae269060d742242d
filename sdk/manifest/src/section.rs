//! The manifest inside a component: a custom section that is read without running or compiling anything.
//!
//! A component is a preamble and a row of sections, each with an id, a length and its bytes; a custom section (id 0) begins with
//! its name. Only the outermost row is walked: what lies inside a section is skipped by its length, so neither a nested module
//! nor a lying length can lead the walk astray.

/// Name of the custom section.
pub const SECTION: &str = "contactor:manifest";

/// Name of the custom sections in which publishers sign a component. Here is only where they lie; what they say and what they are worth
/// is the crate `contactor-signature`'s.
pub const SIGNATURE_SECTION: &str = "contactor:signature";

/// Largest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// `\0asm`, version 13, layer 1: a component. A core module has version 1, layer 0.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const CUSTOM: u8 = 0;

/// Why a component's manifest cannot be read or embedded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    /// The bytes are something else.
    #[error("not a WebAssembly component: {0}; build the connector with `contactor connector build`")]
    NotAComponent(&'static str),
    /// The bytes end in the middle of a section.
    #[error(
        "the component is damaged: the section at byte {offset} is truncated or has an impossible length"
    )]
    Damaged {
        /// Where the section begins.
        offset: usize,
    },
    /// There are two manifests, and nobody can tell which one counts.
    #[error("the component has more than one `{SECTION}` section: rebuild it")]
    Duplicate,
    /// The manifest is larger than [`MAX_MANIFEST_BYTES`].
    #[error("the component's manifest has {0} bytes, more than {MAX_MANIFEST_BYTES}")]
    TooLarge(usize),
    /// The manifest is no text.
    #[error("the component's manifest is not UTF-8")]
    NotText,
}

/// Embeds a manifest into a component, in place of the one that it may have. Signatures are left out: they were of other bytes.
///
/// # Errors
/// [`SectionError::NotAComponent`], [`SectionError::Damaged`], [`SectionError::TooLarge`].
pub fn embed(component: &[u8], toml: &str) -> Result<Vec<u8>, SectionError> {
    if toml.len() > MAX_MANIFEST_BYTES {
        return Err(SectionError::TooLarge(toml.len()));
    }
    let mut embedded = COMPONENT.to_vec();
    for section in sections(component)? {
        let section = section?;
        if [SECTION, SIGNATURE_SECTION].iter().all(|name| section.custom(name).is_none()) {
            embedded.extend_from_slice(section.whole);
        }
    }
    embedded.extend(custom_section(SECTION, toml.as_bytes()));
    Ok(embedded)
}

/// A custom section as it stands in a component, with every length in as few bytes as it takes.
pub fn custom_section(name: &str, content: &[u8]) -> Vec<u8> {
    let mut named = Vec::new();
    push_leb(&mut named, name.len());
    named.extend_from_slice(name.as_bytes());
    let mut section = vec![CUSTOM];
    push_leb(&mut section, named.len() + content.len());
    section.extend_from_slice(&named);
    section.extend_from_slice(content);
    section
}

/// The manifest of a component as it was embedded, not yet parsed; `None` when it has none.
///
/// # Errors
/// Any [`SectionError`]; a component that is damaged anywhere is refused as a whole.
pub fn extract(component: &[u8]) -> Result<Option<String>, SectionError> {
    let mut found = None;
    for section in sections(component)? {
        if let Some(manifest) = section?.custom(SECTION) {
            if manifest.len() > MAX_MANIFEST_BYTES {
                return Err(SectionError::TooLarge(manifest.len()));
            }
            let text = std::str::from_utf8(manifest).map_err(|_| SectionError::NotText)?;
            if found.replace(text.to_owned()).is_some() {
                return Err(SectionError::Duplicate);
            }
        }
    }
    Ok(found)
}

/// A section of the outermost row.
#[derive(Clone, Copy, Debug)]
pub struct Section<'c> {
    id: u8,
    content: &'c [u8],
    /// Where it begins in the component.
    pub offset: usize,
    /// All its bytes: header and content.
    pub whole: &'c [u8],
}

impl<'c> Section<'c> {
    /// The content behind the name, if this is a custom section of that name.
    pub fn custom(&self, wanted: &str) -> Option<&'c [u8]> {
        if self.id != CUSTOM {
            return None;
        }
        let (length, size) = read_leb(self.content)?;
        let name = self.content.get(size..)?.get(..length)?;
        (name == wanted.as_bytes()).then(|| &self.content[size + length..])
    }
}

/// The outermost row of sections, in which every byte behind the preamble has its place.
///
/// # Errors
/// [`SectionError::NotAComponent`]; and, as an item after which there is no other, [`SectionError::Damaged`].
pub fn sections(
    component: &[u8],
) -> Result<impl Iterator<Item = Result<Section<'_>, SectionError>>, SectionError> {
    match component.get(..8) {
        Some(preamble) if preamble == COMPONENT => {}
        Some(preamble) if preamble.starts_with(b"\0asm\x01\0\0\0") => {
            return Err(SectionError::NotAComponent("it is a core module"));
        }
        Some(preamble) if preamble.starts_with(b"\0asm") => {
            return Err(SectionError::NotAComponent("its format version is unknown"));
        }
        _ => return Err(SectionError::NotAComponent("it is no WebAssembly binary")),
    }
    let mut offset = COMPONENT.len();
    Ok(std::iter::from_fn(move || {
        let rest = component.get(offset..).filter(|rest| !rest.is_empty())?;
        let Some(section) = first_section(rest, offset) else {
            let damaged = SectionError::Damaged { offset };
            offset = component.len();
            return Some(Err(damaged));
        };
        offset += section.whole.len();
        Some(Ok(section))
    }))
}

fn first_section(bytes: &[u8], offset: usize) -> Option<Section<'_>> {
    let (&id, rest) = bytes.split_first()?;
    let (length, size) = read_leb(rest)?;
    let end = size.checked_add(length)?;
    let content = rest.get(size..end)?;
    Some(Section { id, content, offset, whole: &bytes[..=end] })
}

/// Reads an unsigned LEB128 number of at most 32 bits: the number and how many bytes it takes.
fn read_leb(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let number = u32::try_from(number).ok()?;
            return Some((usize::try_from(number).ok()?, index + 1));
        }
    }
    None
}

fn push_leb(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        // Masked to seven bits, so nothing is lost.
        #[expect(clippy::cast_possible_truncation, reason = "masked to seven bits")]
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::custom_section as custom;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![id];
        push_leb(&mut bytes, content.len());
        bytes.extend_from_slice(content);
        bytes
    }

    fn component(sections: &[Vec<u8>]) -> Vec<u8> {
        [COMPONENT.to_vec(), sections.concat()].concat()
    }

    #[test]
    fn an_embedded_manifest_is_read_back() {
        let plain = component(&[section(7, &[1, 2, 3]), custom("name", b"x")]);
        assert_eq!(extract(&plain), Ok(None));
        let toml = "id = 1\n".repeat(100);
        let embedded = embed(&plain, &toml).unwrap();
        assert!(embedded.starts_with(&plain));
        assert_eq!(extract(&embedded), Ok(Some(toml)));
    }

    #[test]
    fn embedding_again_replaces_the_manifest() {
        let once = embed(&component(&[]), "first").unwrap();
        let twice = embed(&once, "second").unwrap();
        assert_eq!(extract(&twice), Ok(Some("second".into())));
        assert_eq!(twice, embed(&component(&[]), "second").unwrap());
    }

    #[test]
    fn embedding_leaves_out_the_signatures_of_what_was_there_before() {
        let once = embed(&component(&[section(7, &[1])]), "first").unwrap();
        let signed = [once.clone(), custom(SIGNATURE_SECTION, &[1; 97])].concat();
        assert_eq!(embed(&signed, "first").unwrap(), once);
    }

    #[test]
    fn every_byte_belongs_to_a_section() {
        let whole = component(&[section(7, &[1, 2, 3]), custom("name", b"x"), section(4, &[])]);
        let parts: Vec<_> = sections(&whole).unwrap().map(Result::unwrap).collect();
        let mut end = COMPONENT.len();
        for part in &parts {
            assert_eq!(part.offset, end);
            end += part.whole.len();
        }
        assert_eq!((parts.len(), end), (3, whole.len()));
    }

    #[test]
    fn two_manifests_are_refused() {
        let both = component(&[custom(SECTION, b"one"), custom(SECTION, b"two")]);
        assert_eq!(extract(&both), Err(SectionError::Duplicate));
    }

    #[test]
    fn a_manifest_inside_another_section_does_not_count() {
        let nested = component(&[section(4, &component(&[custom(SECTION, b"inner")]))]);
        assert_eq!(extract(&nested), Ok(None));
    }

    #[test]
    fn what_is_no_component_is_refused_by_name() {
        let say = |bytes: &[u8]| extract(bytes).unwrap_err().to_string();
        assert!(say(b"\0asm\x01\0\0\0").contains("core module"));
        assert!(say(b"\0asm\x0e\0\x01\0").contains("format version"));
        assert!(say(b"(component)").contains("no WebAssembly binary"));
        assert!(say(b"").contains("no WebAssembly binary"));
    }

    #[test]
    fn every_truncation_is_an_error_or_a_component_without_its_last_sections() {
        let whole = embed(&component(&[section(7, &[9; 200])]), "text").unwrap();
        let ends = [8, 8 + 203];
        for length in 8..whole.len() {
            match extract(&whole[..length]) {
                Ok(found) => assert!(found.is_none() && ends.contains(&length), "{length}"),
                Err(error) => assert!(matches!(error, SectionError::Damaged { .. }), "{length}"),
            }
        }
    }

    #[test]
    fn impossible_lengths_are_damage() {
        let damaged = Err(SectionError::Damaged { offset: 8 });
        for length in [&[0xff_u8; 5][..], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0x80; 9], &[0x05]] {
            assert_eq!(extract(&component(&[[&[0], length].concat()])), damaged);
        }
    }

    #[test]
    fn a_custom_section_with_a_lying_name_length_is_not_ours() {
        assert_eq!(extract(&component(&[section(CUSTOM, &[0x7f, b'x'])])), Ok(None));
        assert_eq!(extract(&component(&[section(CUSTOM, &[])])), Ok(None));
    }

    #[test]
    fn a_manifest_that_is_too_large_or_no_text_is_refused() {
        let large = vec![b'x'; MAX_MANIFEST_BYTES + 1];
        assert_eq!(extract(&component(&[custom(SECTION, &large)])), Err(SectionError::TooLarge(large.len())));
        assert_eq!(extract(&component(&[custom(SECTION, &[0xff])])), Err(SectionError::NotText));
        let text = String::from_utf8(large).unwrap();
        assert_eq!(embed(&component(&[]), &text), Err(SectionError::TooLarge(text.len())));
    }
}
