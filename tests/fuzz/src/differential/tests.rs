use claviger_jose::json::{MAX_DEPTH, MAX_MEMBERS};
use claviger_testkit::{Attack, Tamper, TestIssuer};
use serde_json::json;

use super::*;
use crate::signed::{header_of, sign};

/// The judgement on a good token with one member of the header added, set, or left out.
fn header(name: &str, value: Option<Value>) -> Judgement {
    let key = TestKey::es256();
    let mut header = header_of(key);
    match value {
        Some(value) => header[name] = value,
        None => drop(header.as_object_mut().unwrap().remove(name)),
    }
    judge(key, false, &sign(key, header.to_string().as_bytes(), b"{}"))
}

fn header_text(header: &str) -> Judgement {
    judge(TestKey::es256(), false, &sign(TestKey::es256(), header.as_bytes(), b"{}"))
}

fn payload(payload: &str) -> Judgement {
    let key = TestKey::rs256();
    judge(key, false, &sign(key, header_of(key).to_string().as_bytes(), payload.as_bytes()))
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn what_is_good_is_accepted_and_what_is_forged_refused_by_all() {
    for key in [TestKey::es256(), TestKey::rs256()] {
        let token = sign(key, header_of(key).to_string().as_bytes(), b"{}");
        assert_eq!(judge(key, false, &token), Judgement::Accepted);
        let (signed, _) = token.rsplit_once('.').unwrap();
        for forged in [format!("{signed}.AAAA"), format!("{signed}."), format!("{token}="), String::new()] {
            assert_eq!(judge(key, false, &forged), Judgement::Refused, "{forged}");
        }
    }
    assert_eq!(header("alg", Some(json!("none"))), Judgement::Refused);
    assert_eq!(payload("{"), Judgement::Refused);
}

#[test]
fn every_reason_to_be_stricter_is_one_that_occurs() {
    let refused = Judgement::RefusedByUsAlone;
    let good = header_of(TestKey::es256()).to_string();
    let repeated = format!("{},\"a\":1,\"a\":2}}", &good[..good.len() - 1]);
    let surrogate = format!(r#"{},"a":"\ud800"}}"#, &good[..good.len() - 1]);
    let array = json!(["ES256", null, TestKey::es256().kid(), "at+jwt"]).to_string();
    let wide: Vec<String> = (0..=MAX_MEMBERS).map(|n| format!("\"m{n}\":0")).collect();
    let (wide, deep) = (format!("{{{}}}", wide.join(",")), nested(MAX_DEPTH.into()));
    for (judgement, reason) in [
        (payload(&json!({ "a": "a".repeat(8000) }).to_string()), Stricter::TooLong),
        (header("a", Some(json!("a".repeat(1000)))), Stricter::TooLong),
        (header("crit", Some(json!(["exp"]))), Stricter::CriticalExtension),
        (header("b64", Some(json!(true))), Stricter::CriticalExtension),
        (header("jku", Some(json!("https://attacker.test"))), Stricter::EmbeddedKey),
        (header("jwk", Some(json!(TestKey::es256_other().jwk()))), Stricter::EmbeddedKey),
        (header_text(&repeated), Stricter::RepeatedNameInHeader),
        (header("a", Some(deep.clone())), Stricter::UnboundedHeader),
        (header("a", Some(nested(200))), Stricter::UnboundedHeader),
        (header_text(&array), Stricter::HeaderIsNoObject),
        (header_text(&surrogate), Stricter::UnreadableHeader),
        (header("kid", Some(Value::Null)), Stricter::MistypedMember),
        (header("kid", None), Stricter::NoKid),
        (header("kid", Some(json!("a b"))), Stricter::MalformedKid),
        (header("kid", Some(json!(TestKey::es256_other().kid()))), Stricter::OtherKid),
        (header("typ", None), Stricter::OtherTyp),
        (header("typ", Some(json!("logout+jwt"))), Stricter::OtherTyp),
        (payload(r#"[1,2,"a","b","c"]"#), Stricter::PayloadIsNoObject),
        (payload(r#"{"a":1,"a":2}"#), Stricter::RepeatedNameInPayload),
        (payload(&wide), Stricter::UnboundedPayload),
        (payload(&json!({ "a": deep }).to_string()), Stricter::UnboundedPayload),
    ] {
        assert_eq!(judgement, refused(reason));
    }
}

#[test]
fn every_reason_to_be_laxer_is_one_that_occurs() {
    let accepted = |reasons| Judgement::AcceptedByUsAlone(reasons);
    assert_eq!(header("cty", Some(json!(1))), accepted([Laxer::UnusedMember; 2]));
    assert_eq!(payload(r#"{"sub":[]}"#), accepted([Laxer::OtherClaims; 2]));
    let key = TestKey::rs256();
    let mut odd = header_of(key);
    odd["url"] = json!(1);
    assert_eq!(judge(key, true, &sign(key, odd.to_string().as_bytes(), b"{}")), Judgement::Accepted);
    let with_nonce = sign(key, odd.to_string().as_bytes(), br#"{"nonce":1}"#);
    assert_eq!(judge(key, true, &with_nonce), accepted([Laxer::UnusedMember, Laxer::UnusedClaim]));
    odd["typ"] = json!("application/jwt");
    let typed = sign(key, odd.to_string().as_bytes(), b"{}");
    assert_eq!(judge(key, true, &typed), accepted([Laxer::UnusedMember, Laxer::WholeMediaType]));
    assert_eq!(judge(key, false, &typed), Judgement::Refused);
}

#[test]
fn no_forgery_is_accepted_here_that_can_be_known_without_a_policy() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    let good = issuer.token("https://orders.fleet.test");
    assert_eq!(judge(TestKey::es256(), false, &good.sign_with(TestKey::es256())), Judgement::Accepted);
    for tamper in Tamper::all() {
        let token = tamper.apply(&good);
        let judgements = [TestKey::es256(), TestKey::rs256()].map(|key| judge(key, false, &token));
        let accepted = judgements.contains(&Judgement::Accepted);
        // What can be wrong with a claim is found where claims are read; here they are any object.
        let in_claims = matches!(
            tamper.attack(),
            Attack::Issuer
                | Attack::Audience
                | Attack::Claims
                | Attack::Time
                | Attack::Confirmation
                | Attack::Size
        );
        assert!(!accepted || in_claims, "{}", tamper.name());
    }
}

#[test]
fn any_bytes_make_a_case_and_some_of_them_a_good_token() {
    let mut bytes = vec![0xff; 4];
    bytes.extend([0; 64]);
    run(&bytes);
    let case = Case::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap();
    let Case::Parts(parts) = case else { panic!("{case:?}") };
    let token = String::from_utf8(parts.token()).unwrap();
    assert_eq!(judge(parts.key(), parts.foreign, &token), Judgement::Accepted);
}
