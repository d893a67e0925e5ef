use claviger_jose::{JwsError, Kid, MAX_HEADER, MAX_TOKEN, base64url, json};
use claviger_oauth::AccessTokenClaims;
use claviger_testkit::TestKey;

use crate::tree::Tree;

/// Why we refuse what another implementation accepts. Each was looked at; the set grows by review alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stricter {
    /// Longer than our caps on the token and its header: work is bounded before it begins.
    TooLong,
    /// `crit` or `b64`: we understand no extension (RFC 7515 section 4.1.11); they pass over some.
    CriticalExtension,
    /// A key, or where to fetch one, in the header: keys come from the issuer's set (RFC 8725 section 3.10).
    EmbeddedKey,
    /// A name twice in the header: its meaning would depend on the reader (RFC 7515 section 4).
    RepeatedNameInHeader,
    /// The header nests deeper, or is wider, than ours have reason to be.
    UnboundedHeader,
    /// JSON by its grammar, but without a value: half a surrogate pair, a number beyond all, bytes that are no
    /// UTF-8 (RFC 7515 section 5.2, step 3). They do not look into members that they pass over.
    UnreadableHeader,
    /// The header is an array, which derived code reads as an object's members in their order.
    HeaderIsNoObject,
    /// `kid` or `typ` of another type than text; they take `null` for absent, or do not look.
    MistypedMember,
    /// No `kid`: nobody guesses keys here.
    NoKid,
    /// A `kid` that none of our keys can have.
    MalformedKid,
    /// A `kid` of another key; they were handed a key and do not look.
    OtherKid,
    /// `typ` absent or of another kind of token (RFC 8725 section 3.11).
    OtherTyp,
    /// The claims are no object (RFC 7519 section 4).
    PayloadIsNoObject,
    /// A claim twice: its meaning would depend on the reader (RFC 7519 section 4).
    RepeatedNameInPayload,
    /// The claims nest deeper, or are wider, than ours have reason to be.
    UnboundedPayload,
}

impl Stricter {
    /// The reason for our refusal, if the token bears it out.
    pub(crate) fn of(key: &TestKey, token: &str, ours: JwsError) -> Option<Self> {
        let mut parts =
            token.split('.').map(|part| (part.len(), base64url::decode(part).unwrap_or_default()));
        let ((header_length, header), (_, payload)) = (parts.next()?, parts.next()?);
        if ours == JwsError::TooLong {
            return (token.len() > MAX_TOKEN || header_length > MAX_HEADER).then_some(Self::TooLong);
        }
        let Some(header) = Tree::read(&header) else {
            return (ours == JwsError::MalformedHeader).then_some(Self::UnreadableHeader);
        };
        match ours {
            JwsError::CriticalExtension => any(&header, &["crit", "b64"]).then_some(Self::CriticalExtension),
            JwsError::EmbeddedKey => {
                any(&header, &["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"]).then_some(Self::EmbeddedKey)
            }
            JwsError::MalformedHeader => malformed_header(&header),
            JwsError::NoKid => (!header.has("kid")).then_some(Self::NoKid),
            JwsError::MalformedKid => (!is_thumbprint(kid(&header)?)).then_some(Self::MalformedKid),
            JwsError::OtherKid => (kid(&header)? != key.kid().as_str()).then_some(Self::OtherKid),
            JwsError::Typ => (!is_access_token(&header)).then_some(Self::OtherTyp),
            JwsError::MalformedPayload => malformed_payload(&Tree::read(&payload)?),
            // What the cryptography or the encoding refuses, everyone must refuse.
            _ => None,
        }
    }
}

fn malformed_header(header: &Tree) -> Option<Stricter> {
    let mistyped = |name| header.all(name).any(|value| !value.is_text());
    if !matches!(header, Tree::Object(_)) {
        Some(Stricter::HeaderIsNoObject)
    } else if header.repeats() {
        Some(Stricter::RepeatedNameInHeader)
    } else if unbounded(header) {
        Some(Stricter::UnboundedHeader)
    } else {
        ["kid", "typ"].into_iter().any(mistyped).then_some(Stricter::MistypedMember)
    }
}

fn malformed_payload(payload: &Tree) -> Option<Stricter> {
    if !matches!(payload, Tree::Object(_)) {
        Some(Stricter::PayloadIsNoObject)
    } else if payload.repeats() {
        Some(Stricter::RepeatedNameInPayload)
    } else {
        unbounded(payload).then_some(Stricter::UnboundedPayload)
    }
}

fn unbounded(tree: &Tree) -> bool {
    tree.depth() > usize::from(json::MAX_DEPTH) || tree.width() > json::MAX_MEMBERS
}

fn any(header: &Tree, names: &[&str]) -> bool {
    names.iter().any(|name| header.has(name))
}

fn kid(header: &Tree) -> Option<&str> {
    match header.all("kid").next()? {
        Tree::Text(kid) => Some(kid),
        _ => None,
    }
}

fn is_thumbprint(kid: &str) -> bool {
    kid.parse::<Kid>().is_ok_and(|kid| kid.is_thumbprint())
}

fn is_access_token(header: &Tree) -> bool {
    header.all("typ").any(|typ| match typ {
        Tree::Text(typ) => ["at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str()),
        _ => false,
    })
}

/// Why another implementation refuses what we accept; where both do, each has a reason. Each was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Laxer {
    /// A member of the header that means nothing to us is of another type than they expect: to us it is any
    /// other member (RFC 7515 section 4: what is not understood is ignored).
    UnusedMember,
    /// The same for a claim (RFC 7519 section 4).
    UnusedClaim,
    /// `typ` with `application/` written out (RFC 7515 section 4.1.9), which jwt-simple does not know.
    WholeMediaType,
    /// A claim is of another type than they expect. The signature says nothing about types: claims are read
    /// as an access token's behind it, and these are none.
    OtherClaims,
}

impl Laxer {
    /// The reasons of jsonwebtoken and of jwt-simple, if the token bears out both.
    pub(crate) fn of(token: &str) -> Option<[Self; 2]> {
        let mut parts = token.split('.').map(base64url::decode);
        let (header, payload) = (parts.next()?.ok()?, parts.next()?.ok()?);
        let mistyped = |part: &Tree, names: &[&str]| {
            names.iter().any(|name| part.all(name).any(|value| !value.is_text()))
        };
        let (head, claims) = (Tree::read(&header)?, Tree::read(&payload)?);
        // `x5t` is passed over by the rules for other issuers alone; to our own it is a key in the header.
        let both = mistyped(&head, &["cty", "x5t", "x5t#S256"]);
        let read = json::from_str::<AccessTokenClaims<'_>>(str::from_utf8(&payload).ok()?);
        let other_claims = read.is_err().then_some(Self::OtherClaims);
        let jsonwebtoken = if both || mistyped(&head, &["zip", "enc", "url", "nonce"]) {
            Some(Self::UnusedMember)
        } else {
            other_claims
        };
        let jwt_simple = if both || head.has("salt") {
            Some(Self::UnusedMember)
        } else if mistyped(&claims, &["nonce"]) {
            Some(Self::UnusedClaim)
        } else if head.all("typ").any(Tree::is_whole_media_type) {
            Some(Self::WholeMediaType)
        } else {
            other_claims
        };
        Some([jsonwebtoken?, jwt_simple?])
    }
}
