//! Attacks on the payload as a document, truly signed.

use super::{
    Attack::{Claims, Size, Time},
    Tamper,
};

pub(super) const ROWS: &[Tamper] = &[
    Tamper::row("sub-twice", Claims, |m| {
        m.payload_text(&format!(r#"{{"sub":"user:admin",{}}}"#, m.members()))
    }),
    Tamper::row("sub-twice-the-second-is-false", Claims, |m| {
        m.payload_text(&format!(r#"{{{},"sub":"user:admin"}}"#, m.members()))
    }),
    Tamper::row("sub-twice-escaped", Claims, |m| {
        m.payload_text(&format!(r#"{{{},"\u0073ub":"user:admin"}}"#, m.members()))
    }),
    Tamper::row("exp-twice", Claims, |m| {
        m.payload_text(&format!(r#"{{{},"exp":{}}}"#, m.members(), m.now() + 900))
    }),
    Tamper::row("member-twice-deep-in-the-payload", Claims, |m| {
        m.payload_text(&format!(r#"{{{},"a":[{{"b":1,"\u0062":1}}]}}"#, m.members()))
    }),
    Tamper::row("exp-beyond-numbers", Time, |m| {
        m.payload_text(&format!(r#"{{{},"exp":1e400}}"#, m.members_without("exp")))
    }),
    Tamper::row("exp-not-a-number", Time, |m| {
        m.payload_text(&format!(r#"{{{},"exp":NaN}}"#, m.members_without("exp")))
    }),
    Tamper::row("payload-empty", Claims, |m| m.payload_text("")),
    Tamper::row("payload-an-empty-object", Claims, |m| m.payload_text("{}")),
    Tamper::row("payload-an-array", Claims, |m| m.payload_text(&format!("[{}]", m.payload()))),
    Tamper::row("payload-a-string", Claims, |m| {
        m.payload_text(&format!("\"{}\"", m.payload().replace('"', "\\\"")))
    }),
    Tamper::row("payload-null", Claims, |m| m.payload_text("null")),
    Tamper::row("payload-truncated", Claims, |m| m.payload_text(&format!("{{{}", m.members()))),
    Tamper::row("payload-twice", Claims, |m| m.payload_text(&m.payload().repeat(2))),
    Tamper::row("payload-with-more-text", Claims, |m| m.payload_text(&format!("{} x", m.payload()))),
    Tamper::row("payload-with-a-comment", Claims, |m| m.payload_text(&format!("{{{}/**/}}", m.members()))),
    Tamper::row("payload-with-a-last-comma", Claims, |m| m.payload_text(&format!("{{{},}}", m.members()))),
    Tamper::row("payload-with-a-byte-order-mark", Claims, |m| {
        m.payload_text(&format!("\u{feff}{}", m.payload()))
    }),
    Tamper::row("payload-no-utf-8", Claims, |m| {
        // A name of one byte that is no character, in the place of a letter.
        let text = format!(r#"{{{},"a":"QQQ"}}"#, m.members());
        let bytes = text.replace("QQQ", "\u{0}").into_bytes();
        let bytes: Vec<u8> = bytes.iter().map(|byte| if *byte == 0 { 0xFF } else { *byte }).collect();
        m.signed_segments(&m.header_segment(), &claviger_jose::base64url::encode(&bytes))
    }),
    Tamper::row("too-many-claims", Size, |m| {
        let more: Vec<String> = (0..64).map(|n| format!(r#","n{n}":0"#)).collect();
        m.payload_text(&format!("{{{}{}}}", m.members(), more.concat()))
    }),
    Tamper::row("payload-deep", Size, |m| {
        let deep = format!("{}1{}", "[".repeat(9), "]".repeat(9));
        m.payload_text(&format!(r#"{{{},"a":{deep}}}"#, m.members()))
    }),
    Tamper::row("payload-very-deep", Size, |m| {
        let deep = format!("{}1{}", "[".repeat(2400), "]".repeat(2400));
        m.payload_text(&format!(r#"{{{},"a":{deep}}}"#, m.members()))
    }),
    Tamper::row("payload-too-long", Size, |m| {
        m.payload_text(&format!(r#"{{{},"a":"{}"}}"#, m.members(), "a".repeat(8 * 1024)))
    }),
];
