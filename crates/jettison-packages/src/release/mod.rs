//! Signed Release files: the root of what is believed of an archive
//! (Debian repository format, "Release files"; apt-secure(8)).
//!
//! [`Release::from_inrelease`] and [`Release::from_detached`] give a
//! [`Release`] only when a known key signed exactly the text that is parsed,
//! the text is for the asked suite, and the time that was handed in lies
//! between its Date and its Valid-Until. There is no way around: `trusted=yes`
//! of an apt source is not honoured.

mod clearsign;
mod contents;
mod keyring;
mod signature;

#[cfg(test)]
pub(crate) mod tests;

pub use contents::{IndexCompression, IndexFile, Release};
pub use keyring::{KeyInfo, Keyring};

/// What a Release file must satisfy.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The suite or codename that was asked for.
    pub suite: &'a str,
    /// The time now, in seconds since 1970.
    pub now: i64,
    /// The keys that are believed.
    pub keyring: &'a Keyring,
}

/// Why a Release file or a keyring is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VerifyError {
    /// The file has not the one accepted shape of a signed message.
    #[error("not a signed message: {0}")]
    NotClearSigned(&'static str),
    /// The bytes are not UTF-8, which control files must be.
    #[error("not UTF-8 text")]
    NotText,
    /// The signature block cannot be read.
    #[error("unreadable signature: {0}")]
    UnreadableSignature(String),
    /// No signature was made by a key of the keyring.
    #[error("signed by no known key (signed by {signers}; known are {known})")]
    NoKnownKey {
        /// Key ids or fingerprints that the signatures name.
        signers: String,
        /// Fingerprints of the keyring's primary keys.
        known: String,
    },
    /// A signature of a known key does not fit the text.
    #[error("the text is not what key {key} signed")]
    BadSignature {
        /// Fingerprint of the key.
        key: String,
    },
    /// A known key signed, but must not be believed.
    #[error("key {key} {why}")]
    UnusableKey {
        /// Fingerprint of the key.
        key: String,
        /// Expired, revoked, not for signing, …
        why: String,
    },
    /// Valid-Until has passed.
    #[error("no longer valid since {valid_until}; the mirror is stale")]
    Expired {
        /// The field as it is written.
        valid_until: String,
    },
    /// Date lies ahead.
    #[error("dated {date}, which lies in the future; is the clock right?")]
    Future {
        /// The field as it is written.
        date: String,
    },
    /// It is another suite's Release file.
    #[error("asked for {asked}, and it is for {found}")]
    WrongSuite {
        /// What was asked for.
        asked: String,
        /// Suite and codename of the file.
        found: String,
    },
    /// A field is missing or contradicts the format.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A keyring holds no key, or something that is not one.
    #[error("not a keyring: {0}")]
    Keyring(String),
}

impl Release {
    /// Verifies and reads an `InRelease` file.
    pub fn from_inrelease(file: &[u8], expected: &Expected<'_>) -> Result<Self, VerifyError> {
        let file = std::str::from_utf8(file).map_err(|_| VerifyError::NotText)?;
        let parts = clearsign::split(file)?;
        signature::verify(
            parts.text.as_bytes(),
            parts.signature.as_bytes(),
            signature::Kind::ClearText,
            expected,
        )?;
        Self::parse(&parts.text, expected)
    }

    /// Verifies and reads a `Release` file with its `Release.gpg`, armoured or
    /// binary.
    pub fn from_detached(
        file: &[u8],
        signature: &[u8],
        expected: &Expected<'_>,
    ) -> Result<Self, VerifyError> {
        let text = std::str::from_utf8(file).map_err(|_| VerifyError::NotText)?;
        signature::verify(file, signature, signature::Kind::Detached, expected)?;
        Self::parse(text, expected)
    }
}
