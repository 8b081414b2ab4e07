//! The CA bundle: every certificate of ca-certificates in one file, as
//! update-ca-certificates(8) writes it, and certificates of the person's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::parts::Gathered;
use super::{Origin, Part, Selection, Tree, known};
use crate::Error;

/// The path that OpenSSL, Go, rustls' native roots and curl look at on Debian.
pub(super) const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
/// Bytes of one file of certificates; Debian's whole bundle has 0.25 MB.
const FILE_BYTES: usize = 4 << 20;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Certificates that were checked to be such, as PEM text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    pem: String,
    count: usize,
}

impl Bundle {
    /// The text: only the certificates, comments gone.
    pub fn as_pem(&self) -> &str {
        &self.pem
    }

    /// How many certificates there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Checks a file of CA certificates in PEM: one or more, each a whole DER
/// structure of the shape of X.509 (RFC 5280 §4.1), and no private key, which
/// would be published with the image.
pub fn parse_bundle(file: &[u8], what: &str) -> Result<Bundle, Error> {
    let refuse = |problem| {
        Err(Error::Certificate {
            what: crate::error::escape(what),
            problem,
        })
    };
    if file.len() > FILE_BYTES {
        let what = crate::error::escape(what);
        return Err(Error::TooLarge {
            what,
            limit: FILE_BYTES as u64,
        });
    }
    let Ok(text) = std::str::from_utf8(file) else {
        return refuse("not PEM text (convert DER with `openssl x509 -inform der`)");
    };
    if text.contains("PRIVATE KEY-----") {
        return refuse("it holds a private key");
    }
    let mut bundle = Bundle {
        pem: String::new(),
        count: 0,
    };
    let mut body: Option<String> = None;
    for line in text.lines().map(str::trim) {
        match (&mut body, line) {
            (None, BEGIN) => body = Some(String::new()),
            (None, END) => return refuse("an END line without its BEGIN"),
            (None, other) if other.starts_with("-----BEGIN ") => {
                return refuse("it holds something else than certificates");
            }
            (None, _) => {}
            (Some(base64), END) => {
                let Ok(der) = STANDARD.decode(base64.as_bytes()) else {
                    return refuse("a certificate is not Base64");
                };
                if !has_shape_of_certificate(&der) {
                    return refuse("a certificate is damaged");
                }
                push_pem(&mut bundle.pem, &der);
                bundle.count += 1;
                body = None;
            }
            (Some(_), other) if other.starts_with('-') => {
                return refuse("a certificate does not end");
            }
            (Some(base64), other) => base64.push_str(other),
        }
    }
    if body.is_some() {
        return refuse("a certificate does not end");
    }
    if bundle.count == 0 {
        return refuse("it holds no `BEGIN CERTIFICATE` block");
    }
    Ok(bundle)
}

fn push_pem(pem: &mut String, der: &[u8]) {
    let base64 = STANDARD.encode(der);
    pem.push_str(BEGIN);
    pem.push('\n');
    // Base64 is ASCII, so every cut is at a character's end.
    for at in (0..base64.len()).step_by(64) {
        pem.push_str(&base64[at..base64.len().min(at + 64)]);
        pem.push('\n');
    }
    pem.push_str(END);
    pem.push('\n');
}

/// SEQUENCE { SEQUENCE (to be signed), SEQUENCE (algorithm), BIT STRING }, and
/// nothing before, between or after.
fn has_shape_of_certificate(der: &[u8]) -> bool {
    let Some((0x30, inner, [])) = element(der) else {
        return false;
    };
    let Some((0x30, body, rest)) = element(inner) else {
        return false;
    };
    let Some((0x30, _, rest)) = element(rest) else {
        return false;
    };
    !body.is_empty() && matches!(element(rest), Some((0x03, _, [])))
}

/// Tag, content and what follows of a DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0usize, |sum, &digit| sum << 8 | usize::from(digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Writes the bundle when there is anything in it.
pub(super) fn place(
    selection: &Selection,
    gathered: &mut Gathered,
    tree: &mut Tree,
) -> Result<(), Error> {
    let mut bundle = Vec::new();
    // By path, as update-ca-certificates joins them; each ends its line.
    for (path, content) in std::mem::take(&mut gathered.certificates) {
        if content
            .windows(BEGIN.len())
            .all(|window| window != BEGIN.as_bytes())
        {
            let what = path.display().to_string();
            return Err(Error::Certificate {
                what,
                problem: "it is not PEM",
            });
        }
        bundle.extend_from_slice(&content);
        if !content.ends_with(b"\n") {
            bundle.push(b'\n');
        }
    }
    if selection.ca_certificates && bundle.is_empty() {
        return Err(Error::malformed(
            "ca-certificates",
            "it holds no certificate",
        ));
    }
    for extra in &selection.extra_cas {
        bundle.extend_from_slice(extra.as_pem().as_bytes());
    }
    if !bundle.is_empty() {
        let rule = "all certificates of ca-certificates, then those that were added";
        tree.put_file(
            known(BUNDLE),
            bundle,
            (Part::CaCertificates, Origin::Rule(rule)),
        );
    }
    Ok(())
}
