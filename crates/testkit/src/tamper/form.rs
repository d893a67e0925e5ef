//! Attacks on the compact form (RFC 7515 section 7.1).

use claviger_jose::base64url;

use super::{
    Attack::{Form, Signature},
    Tamper,
};

pub(super) const ROWS: &[Tamper] = &[
    Tamper::row("no-token", Form, |_| "a.b.c".to_owned()),
    Tamper::row("one-part", Form, |m| m.parts()[0].clone()),
    Tamper::row("two-parts", Form, |m| m.parts()[..2].join(".")),
    Tamper::row("four-parts", Form, |m| format!("{}.{}", m.good(), m.parts()[2])),
    Tamper::row("five-parts-as-a-jwe", Form, |m| format!("{}.AAAA.AAAA", m.good())),
    Tamper::row("dots", Form, |_| "..".to_owned()),
    Tamper::row("a-dot-before", Form, |m| format!(".{}", m.good())),
    Tamper::row("a-dot-after", Form, |m| format!("{}.", m.good())),
    Tamper::row("no-header", Form, |m| {
        let [_, payload, signature] = m.parts();
        format!(".{payload}.{signature}")
    }),
    Tamper::row("no-payload", Form, |m| {
        let [header, _, signature] = m.parts();
        format!("{header}..{signature}")
    }),
    Tamper::row("no-signature", Signature, |m| {
        let [header, payload, _] = m.parts();
        format!("{header}.{payload}.")
    }),
    Tamper::row("parts-in-another-order", Form, |m| {
        let [header, payload, signature] = m.parts();
        format!("{payload}.{header}.{signature}")
    }),
    Tamper::row("signature-padded", Form, |m| format!("{}==", m.good())),
    Tamper::row("signature-with-a-plus", Form, |m| {
        let [header, payload, signature] = m.parts();
        format!("{header}.{payload}.+{}", &signature[1..])
    }),
    Tamper::row("signature-with-spare-bits", Form, |m| {
        let [header, payload, signature] = m.parts();
        format!("{header}.{payload}.{}", with_spare_bits(&signature))
    }),
    Tamper::row("header-with-spare-bits", Form, |m| {
        let [_, payload, _] = m.parts();
        let header = spaced(&m.header_with(&[]).to_string());
        m.signed_segments(&with_spare_bits(&base64url::encode(header.as_bytes())), &payload)
    }),
    Tamper::row("payload-with-spare-bits", Form, |m| {
        let payload = base64url::encode(spaced(&m.payload()).as_bytes());
        m.signed_segments(&m.header_segment(), &with_spare_bits(&payload))
    }),
    Tamper::row("payload-in-the-other-alphabet", Form, |m| {
        // Three bytes each that are written with a minus and with an underscore.
        let payload = format!(r#"{{{},"a":">>>???>>>???"}}"#, m.members());
        let payload = base64url::encode(payload.as_bytes()).replace('-', "+").replace('_', "/");
        m.signed_segments(&m.header_segment(), &payload)
    }),
    Tamper::row("payload-replaced", Signature, |m| {
        let [header, _, signature] = m.parts();
        let payload = format!(r#"{{{},"sub":"user:admin"}}"#, m.members_without("sub"));
        format!("{header}.{}.{signature}", base64url::encode(payload.as_bytes()))
    }),
    Tamper::row("header-rewritten", Signature, |m| {
        let [_, payload, signature] = m.parts();
        let header = format!("{} ", m.header_with(&[]));
        format!("{}.{payload}.{signature}", base64url::encode(header.as_bytes()))
    }),
];

/// JSON with white space behind it, so that its last base64url character has bits to spare.
fn spaced(json: &str) -> String {
    format!("{json}{}", if json.len().is_multiple_of(3) { " " } else { "" })
}

/// The same bytes, written with a last character that only a lenient reader takes (RFC 4648 section 3.5).
fn with_spare_bits(segment: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (body, last) = segment.split_at(segment.len().saturating_sub(1));
    let twin = ALPHABET.find(last).and_then(|at| ALPHABET.chars().nth(at ^ 1)).unwrap_or('A');
    format!("{body}{twin}")
}
