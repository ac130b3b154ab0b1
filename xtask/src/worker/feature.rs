//! The features of WebAssembly that the Worker's module may use. V8 has had each of them for at least two years.
//!
//! rustc notes in the module itself which of them it was allowed to use; one that is not in the table stops the build.

use anyhow::{Context, Result, bail};

/// A feature of WebAssembly beyond its first version.
pub(super) struct Feature {
    /// What rustc calls it in the section `target_features`.
    name: &'static str,
    /// The option of wasm-opt that allows it.
    pub(super) option: &'static str,
}

const fn feature(name: &'static str, option: &'static str) -> Feature {
    Feature { name, option }
}

/// All features that may be used, each with the first version of V8 that has it (webassembly.org, "Feature Status").
/// The latest of these versions is of 2021; Node 20 has 11.3.
pub(super) const ALLOWED: &[Feature] = &[
    // V8 7.4.
    feature("mutable-globals", "--enable-mutable-globals"),
    // V8 7.4.
    feature("sign-ext", "--enable-sign-ext"),
    // V8 7.5.
    feature("nontrapping-fptoint", "--enable-nontrapping-float-to-int"),
    // V8 7.5; `bulk-memory-opt` names the part of it that copies and fills.
    feature("bulk-memory", "--enable-bulk-memory"),
    feature("bulk-memory-opt", "--enable-bulk-memory-opt"),
    // V8 8.5.
    feature("multivalue", "--enable-multivalue"),
    // V8 9.6; the next one is the part of it that lets a call name its table in more than one byte.
    feature("reference-types", "--enable-reference-types"),
    feature("call-indirect-overlong", "--enable-call-indirect-overlong"),
    // V8 9.5, in the encoding of that time, which is the only one that `xtask/bindgen` leaves. rustc does not use it.
    feature("exception-handling", "--enable-exception-handling"),
];

/// The section in which a compiler notes what it was allowed to use.
const SECTION: &str = "target_features";

/// Refuses a module whose compiler was allowed to use more than the table holds.
pub(super) fn check(module: &[u8]) -> Result<()> {
    let used = used(module).context("this is no WebAssembly module with a section `target_features`")?;
    let unknown: Vec<_> = used.iter().filter(|name| ALLOWED.iter().all(|feature| feature.name != *name)).collect();
    if !unknown.is_empty() {
        bail!(
            "rustc uses features of WebAssembly that are not in xtask/src/worker/feature.rs: {unknown:?}; add those that \
             V8 has had for two years, and switch off the others by `-Ctarget-feature`"
        );
    }
    Ok(())
}

/// The names of the features in use.
fn used(module: &[u8]) -> Option<Vec<String>> {
    let mut rest = Reader(module.strip_prefix(b"\0asm\x01\0\0\0")?);
    loop {
        let id = rest.byte()?;
        let mut section = Reader(rest.vector()?);
        if id == 0 && section.vector()? == SECTION.as_bytes() {
            let count = section.number()?;
            let features = (0..count).map(|_| Some((section.byte()?, section.vector()?)));
            let features = features.collect::<Option<Vec<_>>>()?;
            // A feature with a minus before its name is not used.
            let used = features.iter().filter(|(prefix, _)| *prefix == b'+');
            return Some(used.map(|(_, name)| String::from_utf8_lossy(name).into_owned()).collect());
        }
    }
}

/// Reads a module or a section; holds what is left of it.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// An unsigned number, seven bits a byte, the lowest first.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A vector of bytes: its length, then the bytes.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of one unnamed section and of the section with these features.
    fn module(features: &[&str]) -> Vec<u8> {
        let vector = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let list: Vec<u8> =
            features.iter().flat_map(|name| [&name.as_bytes()[..1], &vector(&name.as_bytes()[1..])].concat()).collect();
        let section = [vector(SECTION.as_bytes()), vec![u8::try_from(features.len()).unwrap()], list].concat();
        [b"\0asm\x01\0\0\0\x01\x81\0\x2a\0".as_slice(), &vector(&section)].concat()
    }

    #[test]
    fn a_module_may_use_what_is_in_the_table_and_nothing_else() {
        let check =
            |features: &[&str], expected| assert_eq!(check(&module(features)).is_ok(), expected, "{features:?}");
        check(&[], true);
        check(&["+sign-ext", "+bulk-memory"], true);
        check(&["+sign-ext", "-shared-mem"], true);
        check(&["+sign-ext", "+compact-imports"], false);
    }

    #[test]
    fn a_module_without_the_section_is_refused() {
        assert!(check(b"\0asm\x01\0\0\0").is_err());
        assert!(check(b"\0asm\x01\0\0\0\x01\x7f").is_err());
        assert!(check(b"").is_err());
    }
}
