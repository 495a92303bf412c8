//! Numbers and identifiers from the execution's entropy.

use crate::environment::Environment;

/// A number in `start..end`, which must not be empty, from 64 random bits.
pub(super) fn between(start: i64, end: i64, bits: u64) -> i64 {
    let width = end.abs_diff(start);
    // The bias of the remainder is below 2^-32: the bounds are 32-bit numbers.
    let offset = i64::try_from(bits % width).unwrap_or(0);
    start + offset
}

/// 64 bits that depend on `seed` alone, well mixed.
pub(super) fn seeded(seed: i64) -> u64 {
    mix(seed.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15))
}

/// The bits of a number, well mixed.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A UUID of version 4.
pub(super) fn uuid(env: &dyn Environment) -> String {
    uuid_of(env.random_u64(), env.random_u64())
}

/// A UUID of version 4 from 128 random bits.
pub(crate) fn uuid_of(high: u64, low: u64) -> String {
    let bits = (u128::from(high) << 64) | u128::from(low);
    let version = 0x4_u128 << 76;
    let variant = 0x2_u128 << 62;
    let bits = (bits & !(0xf_u128 << 76) & !(0x3_u128 << 62)) | version | variant;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
