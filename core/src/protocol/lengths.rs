//! The lengths of messages that are stored together, packed into bytes.

/// Bytes that are not the output of [`pack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedLengths;

/// Packs lengths as LEB128: seven bits a byte, the lowest first, the high bit on all but the last.
pub fn pack(lengths: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(lengths.len() * 2);
    for length in lengths {
        let mut rest = *length;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// Unpacks lengths; there are at most as many as bytes.
pub fn unpack(bytes: &[u8]) -> Result<Vec<u32>, MalformedLengths> {
    let mut lengths = Vec::new();
    let (mut value, mut shift) = (0_u64, 0_u32);
    for byte in bytes {
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 != 0 {
            shift += 7;
            if shift > 28 {
                return Err(MalformedLengths);
            }
            continue;
        }
        lengths.push(u32::try_from(value).map_err(|_| MalformedLengths)?);
        (value, shift) = (0, 0);
    }
    if shift == 0 { Ok(lengths) } else { Err(MalformedLengths) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lengths_round_trip(lengths in prop::collection::vec(any::<u32>(), 0..50)) {
            prop_assert_eq!(unpack(&pack(&lengths)), Ok(lengths));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = unpack(&bytes);
        }
    }

    #[test]
    fn what_is_cut_off_or_too_large_is_refused() {
        assert_eq!(pack(&[0, 127, 128]), [0, 127, 0x80, 1]);
        for bytes in [&[0x80_u8][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 1], &[0xff, 0xff, 0xff, 0xff, 0x7f]] {
            assert!(unpack(bytes).is_err(), "{bytes:?}");
        }
    }
}
