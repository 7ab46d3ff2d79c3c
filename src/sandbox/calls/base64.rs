//! Base64 as the web reads it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes as `atob` does (<https://infra.spec.whatwg.org/#forgiving-base64-decode>) and Cloudflare's local API, too
/// (miniflare 5, `decodeBase64`): blanks and line ends mean nothing, and padding may be left out.
pub(super) fn forgiving(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    FORGIVING.decode(text.replace(['\t', '\n', '\x0c', '\r', ' '], ""))
}

#[cfg(test)]
mod tests {
    use super::forgiving;

    #[test]
    fn blanks_and_padding_mean_nothing_but_another_alphabet_does() {
        for text in ["AP8=", "AP8", " A\tP\r\n8 = "] {
            assert_eq!(forgiving(text).unwrap(), [0, 255], "{text:?}");
        }
        for text in ["!", "A", "__8=", "AP8=AP8=", "AP8\u{a0}"] {
            assert!(forgiving(text).is_err(), "{text:?}");
        }
    }
}
