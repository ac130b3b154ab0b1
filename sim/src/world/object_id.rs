//! The platform's identities of objects.

/// The platform's identity of the object that is written so: 64 hexadecimal digits.
pub(crate) fn object_id(name: &str) -> String {
    let digits = (1..=4_u64).map(|salt| {
        // FNV-1a, from four starting points.
        let start = 0xcbf2_9ce4_8422_2325 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    });
    digits.collect()
}
