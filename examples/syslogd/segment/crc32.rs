//! The CRC-32 of IEEE 802.3 (zip, PNG, gzip), by table.
//!
//! It is written here because it is twenty lines and a dependency is more. It finds accidents, every
//! single burst of up to 32 bits among them, and no intent.

/// The polynomial 0x04C11DB7 with its bits reversed, as the algorithm shifts to the right.
const POLYNOMIAL: u32 = 0xEDB8_8320;

const TABLE: [u32; 256] = table();

/// Computes the checksum of the parts as if they were one.
pub(super) fn of(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    !bytes.fold(u32::MAX, |crc, byte| {
        TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8)
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    // A `for` loop is not allowed in a const function.
    let mut index = 0_u32;
    while index < 256 {
        let mut value = index;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ POLYNOMIAL
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index as usize] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_published_check_values_come_out() {
        assert_eq!(of(&[b"123456789"]), 0xCBF4_3926);
        assert_eq!(of(&[]), 0);
        assert_eq!(
            of(&[b"The quick brown fox jumps", b" over the lazy dog"]),
            0x414F_A339
        );
    }

    #[test]
    fn a_record_of_zeros_is_not_valid() {
        assert_ne!(of(&[&[0; 4]]), 0);
    }
}
