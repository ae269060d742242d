//! A component's bytes: read without running or compiling them, and what is embedded is what is read.
//!
//! Input: the bytes of a component.

use contactor_manifest::{Manifest, embed, extract};
use contactor_runtime::{Digest, Grants, inspect};

const OTHER: &str = "# another manifest";

pub(crate) fn run(input: &[u8]) {
    let found = extract(input);
    if let Ok(replaced) = embed(input, OTHER) {
        assert_eq!(extract(&replaced), Ok(Some(OTHER.to_owned())), "what is embedded is read");
        assert_eq!(embed(&replaced, OTHER).as_ref(), Ok(&replaced), "and takes its own place");
        assert!(inspect(&replaced).is_err(), "a comment is no manifest");
    } else {
        assert!(found.is_err(), "what can be read can be written");
    }
    let Ok(seen) = inspect(input) else { return };
    let embedded = found.expect("what is inspected has a manifest").expect("one");
    assert_eq!(seen.manifest, Manifest::parse(&embedded).expect("that is sound"));
    assert_eq!((seen.size, seen.digest), (input.len(), Digest::of(input)));
    if seen.check(&Grants::none()).is_ok() {
        assert_eq!(seen.capabilities().count(), 0, "what was granted nothing asks for nothing");
    }
}
