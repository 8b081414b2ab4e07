//! Keys that are believed, and what their own signatures say about them.
//!
//! The OpenPGP crate checks signatures; whether a key is expired, revoked or
//! allowed to sign is decided here, from self-signatures that verified.

use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, Tag};

use super::VerifyError;

/// The keys of Debian's archive, as the package debian-archive-keyring ships
/// them (its copyright file: the keys fall under no copyright).
const DEBIAN: [&str; 6] = [
    include_str!("../../data/debian-archive-bookworm-automatic.asc"),
    include_str!("../../data/debian-archive-bookworm-security-automatic.asc"),
    include_str!("../../data/debian-archive-bookworm-stable.asc"),
    include_str!("../../data/debian-archive-trixie-automatic.asc"),
    include_str!("../../data/debian-archive-trixie-security-automatic.asc"),
    include_str!("../../data/debian-archive-trixie-stable.asc"),
];

/// Bytes of a keyring; all keys that Debian ever had are under 1 MB.
const KEYRING_BYTES: usize = 16 << 20;
/// Keys of a keyring.
const KEYS: usize = 1000;

const ARMOUR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// A set of keys.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    pub(super) keys: Vec<SignedPublicKey>,
}

/// What a keyring says about one of its keys, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Upper-case hexadecimal digits.
    pub fingerprint: String,
    /// The first user id.
    pub name: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970; none for a key that never expires.
    pub expires: Option<i64>,
    /// Fingerprints of the subkeys.
    pub subkeys: Vec<String>,
}

impl Keyring {
    /// Debian's archive keys for bookworm and trixie, which are shipped.
    pub fn debian() -> Result<Self, VerifyError> {
        let mut keyring = Self::default();
        for text in DEBIAN {
            keyring.add(text.as_bytes())?;
        }
        Ok(keyring)
    }

    /// Reads a keyring: armoured blocks, one or several, or binary packets.
    pub fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        let mut keyring = Self::default();
        keyring.add(bytes)?;
        Ok(keyring)
    }

    /// Reads more keys into this keyring.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), VerifyError> {
        let wrong = |problem: String| VerifyError::Keyring(crate::error::escape(&problem));
        if bytes.len() > KEYRING_BYTES {
            return Err(wrong(format!("larger than {KEYRING_BYTES} bytes")));
        }
        let before = self.keys.len();
        match std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.contains(ARMOUR))
        {
            Some(text) => {
                for block in text.split(ARMOUR).skip(1) {
                    let block = format!("{ARMOUR}{block}");
                    let (keys, _) = SignedPublicKey::from_armor_many_buf(block.as_bytes())
                        .map_err(|error| wrong(error.to_string()))?;
                    self.extend(keys)?;
                }
            }
            None => {
                let keys = SignedPublicKey::from_bytes_many(bytes)
                    .map_err(|error| wrong(error.to_string()))?;
                self.extend(keys)?;
            }
        }
        if self.keys.len() == before {
            return Err(wrong("it holds no public key".into()));
        }
        Ok(())
    }

    fn extend(
        &mut self,
        keys: impl Iterator<Item = pgp::errors::Result<SignedPublicKey>>,
    ) -> Result<(), VerifyError> {
        for key in keys {
            let key = key
                .map_err(|error| VerifyError::Keyring(crate::error::escape(&error.to_string())))?;
            if self.keys.len() >= KEYS {
                return Err(VerifyError::Keyring(format!("more than {KEYS} keys")));
            }
            self.keys.push(key);
        }
        Ok(())
    }

    /// Its keys, for people.
    pub fn keys(&self) -> Vec<KeyInfo> {
        let info = |key: &SignedPublicKey| {
            let name = key.details.users.first().and_then(|user| user.id.as_str());
            KeyInfo {
                fingerprint: fingerprint(&key.primary_key),
                name: crate::error::escape(name.unwrap_or_default()),
                created: created(&key.primary_key),
                expires: newest_self_signature(key)
                    .and_then(|signature| expiry(&key.primary_key, signature)),
                subkeys: key
                    .public_subkeys
                    .iter()
                    .map(|sub| fingerprint(&sub.key))
                    .collect(),
            }
        };
        self.keys.iter().map(info).collect()
    }
}

/// The fingerprint as tools print it.
pub(super) fn fingerprint(key: &impl KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

/// Whether the primary key may sign data made at `signed` and judged at `now`;
/// the text says why not.
pub(super) fn primary_may_sign(key: &SignedPublicKey, signed: i64, now: i64) -> Result<(), String> {
    let own = primary_is_alive(key, signed, now)?;
    if forbids_signing(own) {
        return Err("is not for signing data".into());
    }
    Ok(())
}

/// The same for a subkey, which needs its primary key alive, a binding
/// signature of it, and its own signature back (RFC 9580 §5.2.1, type 0x19).
pub(super) fn subkey_may_sign(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    signed: i64,
    now: i64,
) -> Result<(), String> {
    primary_is_alive(key, signed, now)?;
    let mut binding: Option<&Signature> = None;
    for signature in &subkey.signatures {
        if signature
            .verify_subkey_binding(&key.primary_key, &subkey.key)
            .is_err()
        {
            continue;
        }
        match signature.typ() {
            Some(SignatureType::SubkeyRevocation) => return Err("is revoked".into()),
            Some(SignatureType::SubkeyBinding)
                if binding.is_none_or(|best| best.created() < signature.created()) =>
            {
                binding = Some(signature);
            }
            _ => {}
        }
    }
    let binding = binding.ok_or("is bound to no primary key")?;
    let back = binding.embedded_signature().is_some_and(|back| {
        back.typ() == Some(SignatureType::KeyBinding)
            && back
                .verify_primary_key_binding(&subkey.key, &key.primary_key)
                .is_ok()
    });
    if forbids_signing(binding) || !back {
        return Err("is not for signing data".into());
    }
    is_alive(&subkey.key, binding, signed, now)
}

fn primary_is_alive(key: &SignedPublicKey, signed: i64, now: i64) -> Result<&Signature, String> {
    let revoked = key
        .details
        .revocation_signatures
        .iter()
        .any(|signature| signature.verify_key(&key.primary_key).is_ok());
    if revoked {
        return Err("is revoked".into());
    }
    let own = newest_self_signature(key).ok_or("has no valid self-signature")?;
    is_alive(&key.primary_key, own, signed, now)?;
    Ok(own)
}

/// The newest self-signature that verifies, on a user id or on the key itself,
/// and says what the key is for or when it ends. Others only when there is none
/// such: Debian's keys carry newer ones that name nothing but revokers.
fn newest_self_signature(key: &SignedPublicKey) -> Option<&Signature> {
    let primary = &key.primary_key;
    let direct = key
        .details
        .direct_signatures
        .iter()
        .filter(|signature| signature.verify_key(primary).is_ok());
    let on_users = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(move |signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && is_issued_by(signature, primary)
                && signature
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
        })
    });
    let speaks =
        |signature: &Signature| has_flags(signature) || signature.key_expiration_time().is_some();
    direct
        .chain(on_users)
        .max_by_key(|signature| (speaks(signature), signature.created()))
}

/// Spares the public-key work for signatures of other people on a key.
fn is_issued_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature.issuer_key_id().contains(&&key.legacy_key_id())
        || signature.issuer_fingerprint().contains(&&key.fingerprint())
}

fn is_alive(key: &impl KeyDetails, own: &Signature, signed: i64, now: i64) -> Result<(), String> {
    if created(key) > signed {
        return Err("is younger than the signature".into());
    }
    match expiry(key, own) {
        Some(end) if end <= signed => Err("had expired when it signed".into()),
        // As apt: an expired key may be in anybody's hands, and its new
        // signatures can carry any date.
        Some(end) if end <= now => Err("has expired".into()),
        _ => Ok(()),
    }
}

fn created(key: &impl KeyDetails) -> i64 {
    i64::from(key.created_at().as_secs())
}

fn expiry(key: &impl KeyDetails, own: &Signature) -> Option<i64> {
    let lifetime = own.key_expiration_time()?.as_secs();
    (lifetime != 0).then(|| created(key) + i64::from(lifetime))
}

/// A key without flags may be used for everything (RFC 9580 §5.2.3.29).
fn forbids_signing(signature: &Signature) -> bool {
    has_flags(signature) && !signature.key_flags().sign()
}

fn has_flags(signature: &Signature) -> bool {
    signature.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|sub| matches!(sub.data, SubpacketData::KeyFlags(_)))
    })
}
