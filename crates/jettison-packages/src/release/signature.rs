//! Checks a signature block over a text against a keyring, as apt does with
//! gpgv: one good signature is enough, one bad one of a known key is too much.

use pgp::composed::{Deserializable, DetachedSignature};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};

use super::keyring::{fingerprint, primary_may_sign, subkey_may_sign};
use super::{Expected, VerifyError};

/// How far ahead a signature or a Date may lie; machines' clocks differ.
pub(super) const CLOCK_TOLERANCE_SECONDS: i64 = 600;

/// Signatures in one block; Debian has three.
const SIGNATURES: usize = 32;
/// Bytes of a signature block.
const BLOCK_BYTES: usize = 1 << 20;

/// How text and signature belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text signature (type 0x01) over the lines, ended by CRLF.
    ClearText,
    /// A binary signature (type 0x00) over the bytes.
    Detached,
}

/// Succeeds when a key of the keyring, alive and allowed to sign, signed
/// exactly `text`.
pub(super) fn verify(
    text: &[u8],
    block: &[u8],
    kind: Kind,
    expected: &Expected<'_>,
) -> Result<(), VerifyError> {
    let mut good = false;
    let mut unusable = None;
    let mut signers = Vec::new();
    for signature in signatures(block)? {
        signers.push(issuer(&signature));
        match judge(&signature, text, kind, expected) {
            Judgement::Good => good = true,
            Judgement::UnknownKey => {}
            Judgement::Bad(key) => return Err(VerifyError::BadSignature { key }),
            Judgement::Unusable(key, why) => {
                unusable.get_or_insert(VerifyError::UnusableKey { key, why });
            }
        }
    }
    if good {
        return Ok(());
    }
    Err(unusable.unwrap_or_else(|| {
        let known: Vec<_> = expected
            .keyring
            .keys
            .iter()
            .map(|key| fingerprint(&key.primary_key))
            .collect();
        VerifyError::NoKnownKey {
            signers: signers.join(", "),
            known: known.join(", "),
        }
    }))
}

enum Judgement {
    Good,
    UnknownKey,
    Bad(String),
    Unusable(String, String),
}

/// The best that any key of the keyring makes of a signature: a key may be
/// there twice, an old copy that ends earlier beside a newer one.
fn judge(signature: &Signature, text: &[u8], kind: Kind, expected: &Expected<'_>) -> Judgement {
    let mut best = Judgement::UnknownKey;
    for key in &expected.keyring.keys {
        let (print, fits, usable) = if names(signature, &key.primary_key) {
            (
                fingerprint(&key.primary_key),
                signature.verify(&key.primary_key, text).is_ok(),
                usable(signature, kind, expected, |signed, now| {
                    primary_may_sign(key, signed, now)
                }),
            )
        } else if let Some(sub) = key
            .public_subkeys
            .iter()
            .find(|sub| names(signature, &sub.key))
        {
            (
                fingerprint(&sub.key),
                signature.verify(&sub.key, text).is_ok(),
                usable(signature, kind, expected, |signed, now| {
                    subkey_may_sign(key, sub, signed, now)
                }),
            )
        } else {
            continue;
        };
        best = match (fits, usable, best) {
            (true, Ok(()), _) => return Judgement::Good,
            (true, Err(why), _) => Judgement::Unusable(print, why),
            (false, _, Judgement::UnknownKey) => Judgement::Bad(print),
            (false, _, earlier) => earlier,
        };
    }
    best
}

/// Whether the signature names this key. One that names none is nobody's.
fn names(signature: &Signature, key: &impl pgp::types::KeyDetails) -> bool {
    let prints = signature.issuer_fingerprint();
    if prints.is_empty() {
        return signature.issuer_key_id().contains(&&key.legacy_key_id());
    }
    prints.contains(&&key.fingerprint())
}

fn usable(
    signature: &Signature,
    kind: Kind,
    expected: &Expected<'_>,
    key_may_sign: impl FnOnce(i64, i64) -> Result<(), String>,
) -> Result<(), String> {
    let wanted = match kind {
        Kind::ClearText => SignatureType::Text,
        Kind::Detached => SignatureType::Binary,
    };
    if signature.typ() != Some(wanted) {
        return Err("made a signature of another kind".into());
    }
    // SHA-1 and MD5 collide (SHAttered, 2017); apt refuses them as well.
    let strong = [
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
        HashAlgorithm::Sha3_256,
        HashAlgorithm::Sha3_512,
    ];
    if !signature
        .hash_alg()
        .is_some_and(|hash| strong.contains(&hash))
    {
        return Err("signed with a weak hash".into());
    }
    let signed = signature
        .created()
        .ok_or("did not say when it signed")?
        .as_secs()
        .into();
    if signed > expected.now.saturating_add(CLOCK_TOLERANCE_SECONDS) {
        return Err("signed in the future; is the clock right?".into());
    }
    let lifetime = signature
        .signature_expiration_time()
        .map_or(0, |lifetime| lifetime.as_secs());
    if lifetime != 0 && signed + i64::from(lifetime) <= expected.now {
        return Err("made a signature that has expired".into());
    }
    key_may_sign(signed, expected.now)
}

fn signatures(block: &[u8]) -> Result<Vec<Signature>, VerifyError> {
    let unreadable =
        |problem: String| VerifyError::UnreadableSignature(crate::error::escape(&problem));
    if block.len() > BLOCK_BYTES {
        return Err(unreadable(format!("larger than {BLOCK_BYTES} bytes")));
    }
    let parsed = if block.starts_with(b"-----") {
        DetachedSignature::from_armor_many_buf(block).map(|(signatures, _)| signatures)
    } else {
        DetachedSignature::from_bytes_many(block)
    };
    let mut found = Vec::new();
    for signature in parsed.map_err(|error| unreadable(error.to_string()))? {
        found.push(
            signature
                .map_err(|error| unreadable(error.to_string()))?
                .signature,
        );
        if found.len() > SIGNATURES {
            return Err(unreadable(format!("more than {SIGNATURES} signatures")));
        }
    }
    if found.is_empty() {
        return Err(unreadable("it is empty".into()));
    }
    Ok(found)
}

fn issuer(signature: &Signature) -> String {
    match (
        signature.issuer_fingerprint().first(),
        signature.issuer_key_id().first(),
    ) {
        (Some(print), _) => format!("{print:X}"),
        (None, Some(id)) => id.to_string().to_ascii_uppercase(),
        (None, None) => "an unnamed key".into(),
    }
}
