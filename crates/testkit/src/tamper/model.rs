use aws_lc_rs::hmac;
use claviger_jose::{Algorithm, base64url};
use serde_json::{Map, Value, json};

use crate::{TestKey, TestToken};

/// The good token that is forged, taken apart, and the key that may sign it.
pub(super) struct Model<'t> {
    pub(super) token: &'t TestToken,
    pub(super) key: &'static TestKey,
    header: Value,
    claims: Value,
}

impl<'t> Model<'t> {
    pub(super) fn of(token: &'t TestToken, key: &'static TestKey) -> Self {
        Self { token, key, header: token.header_for(key), claims: token.claims() }
    }

    /// The same under the issuer's EC key, whatever the token's algorithm is.
    pub(super) fn under_ec(&self) -> Self {
        Self::of(self.token, self.key_of(Algorithm::Es256))
    }

    /// The same under the issuer's RSA key.
    pub(super) fn under_rsa(&self) -> Self {
        Self::of(self.token, self.key_of(Algorithm::Rs256))
    }

    /// The key of the other algorithm.
    pub(super) fn other_key(&self) -> &'static TestKey {
        self.key_of(match self.key.alg() {
            Algorithm::Rs256 => Algorithm::Es256,
            Algorithm::Es256 => Algorithm::Rs256,
        })
    }

    fn key_of(&self, alg: Algorithm) -> &'static TestKey {
        let active = self.token.issuer().active_keys().into_iter().find(|key| key.alg() == alg);
        active.unwrap_or_else(|| TestKey::nth(alg, 0))
    }

    /// A key of the same algorithm that this issuer never published.
    pub(super) fn strange_key(&self) -> &'static TestKey {
        self.token.issuer().strange_key(self.key.alg())
    }

    /// Seconds since 1970 at which the token is issued.
    pub(super) fn now(&self) -> u64 {
        self.claims["iat"].as_u64().unwrap_or_default()
    }

    pub(super) fn issuer(&self) -> &str {
        self.claims["iss"].as_str().unwrap_or_default()
    }

    /// The first audience.
    pub(super) fn audience(&self) -> &str {
        let aud = &self.claims["aud"];
        aud.as_str().or_else(|| aud[0].as_str()).unwrap_or_default()
    }

    pub(super) fn payload(&self) -> String {
        self.claims.to_string()
    }

    /// The members of the payload, without the braces.
    pub(super) fn members(&self) -> String {
        let text = self.payload();
        text[1..text.len() - 1].to_owned()
    }

    pub(super) fn good(&self) -> String {
        self.signed(&self.header.to_string(), &self.payload())
    }

    /// A valid signature over any header and payload.
    pub(super) fn signed(&self, header: &str, payload: &str) -> String {
        self.key.jws(header, payload)
    }

    /// A valid signature over segments as they are.
    pub(super) fn signed_segments(&self, header: &str, payload: &str) -> String {
        let mut token = format!("{header}.{payload}");
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        base64url::encode_into(&signature, &mut token);
        token
    }

    /// One member of the header replaced or added.
    pub(super) fn header(&self, name: &str, value: impl Into<Value>) -> String {
        self.headers(&[(name, value.into())])
    }

    pub(super) fn headers(&self, members: &[(&str, Value)]) -> String {
        self.signed(&self.header_with(members).to_string(), &self.payload())
    }

    pub(super) fn header_with(&self, members: &[(&str, Value)]) -> Value {
        let mut header = self.header.clone();
        for (name, value) in members {
            header[*name] = value.clone();
        }
        header
    }

    pub(super) fn without_header(&self, name: &str) -> String {
        self.signed(&without(&self.header, name).to_string(), &self.payload())
    }

    /// A header as it is written, with `ALG` and `KID` for what is right there.
    pub(super) fn header_text(&self, text: &str) -> String {
        let text = text.replace("ALG", self.key.alg().as_str()).replace("KID", self.key.kid().as_str());
        self.signed(&text, &self.payload())
    }

    /// One claim replaced or added.
    pub(super) fn claim(&self, name: &str, value: impl Into<Value>) -> String {
        self.claims(&[(name, value.into())])
    }

    pub(super) fn claims(&self, members: &[(&str, Value)]) -> String {
        let mut claims = self.claims.clone();
        for (name, value) in members {
            claims[*name] = value.clone();
        }
        self.payload_text(&claims.to_string())
    }

    pub(super) fn without(&self, name: &str) -> String {
        self.payload_text(&without(&self.claims, name).to_string())
    }

    /// The members of the payload but this one, without the braces.
    pub(super) fn members_without(&self, name: &str) -> String {
        let text = without(&self.claims, name).to_string();
        text[1..text.len() - 1].to_owned()
    }

    /// A payload as it is written.
    pub(super) fn payload_text(&self, payload: &str) -> String {
        self.signed(&self.header.to_string(), payload)
    }

    /// The good token in its three parts.
    pub(super) fn parts(&self) -> [String; 3] {
        let good = self.good();
        let mut parts = good.split('.').map(str::to_owned);
        [(); 3].map(|()| parts.next().unwrap_or_default())
    }

    /// The good token with another signature, which is made from the right one.
    pub(super) fn resigned(&self, forge: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let [header, payload, signature] = self.parts();
        let right = base64url::decode(&signature).unwrap_or_default();
        format!("{header}.{payload}.{}", base64url::encode(&forge(&right)))
    }

    /// The header that this key has, over a signature by that one.
    pub(super) fn signed_by(&self, signer: &TestKey) -> String {
        signer.jws(&self.header, &self.payload())
    }

    /// `alg` HS256, with a tag whose key everybody has.
    pub(super) fn tagged(&self, secret: &[u8]) -> String {
        let header = self.header_with(&[("alg", json!("HS256"))]).to_string();
        let unsigned = self.signed(&header, &self.payload());
        let (signing_input, _) = unsigned.rsplit_once('.').unwrap_or_default();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signing_input.as_bytes());
        format!("{signing_input}.{}", base64url::encode(tag.as_ref()))
    }

    pub(super) fn header_segment(&self) -> String {
        base64url::encode(self.header.to_string().as_bytes())
    }
}

fn without(object: &Value, name: &str) -> Value {
    let mut members: Map<String, Value> = object.as_object().cloned().unwrap_or_default();
    members.remove(name);
    members.into()
}
