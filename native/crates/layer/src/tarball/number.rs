use std::str::FromStr;

use crate::error::{Result, invalid, show};

/// A number in decimal digits, with a sign if its type has one.
pub(super) fn decimal<Number: FromStr>(text: &[u8]) -> Result<Number> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.map_or_else(|| invalid(format!("the archive holds the malformed number {}", show(text))), Ok)
}
