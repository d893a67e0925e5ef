//! Whether a request proves what its token asks for: the table of bindings and proofs.

use claviger_oauth::{Confirmation, TokenScheme};
use http::request::Parts;

use crate::{Principal, Refusal, TokenFault, presented::Found};

/// How this verifier lets callers prove the possession of a key. Without anything configured, a bound token
/// is refused: whoever stole it could use it.
#[derive(Debug, Default)]
pub(crate) struct Possession {
    #[cfg(feature = "dpop")]
    pub(crate) dpop: Option<crate::dpop::ProofRules>,
}

impl Possession {
    /// Whether a token of the scheme `DPoP` is looked at.
    #[cfg_attr(
        not(feature = "dpop"),
        expect(clippy::unused_self, reason = "without the feature the answer is known")
    )]
    pub(crate) fn takes_proofs(&self) -> bool {
        #[cfg(feature = "dpop")]
        let takes = self.dpop.is_some();
        #[cfg(not(feature = "dpop"))]
        let takes = false;
        takes
    }

    /// Whether the request may use the token of this principal (RFC 9449 section 7.1, RFC 8705 section 3). Every
    /// binding of the token must be proven, and one that nobody here can check is not.
    pub(crate) fn check(
        &self,
        principal: &Principal,
        presented: Found<'_>,
        request: &Parts,
    ) -> Result<(), Refusal> {
        let scheme = presented.scheme();
        let Some(Confirmation { jkt, x5t_s256, unknown }) = principal.confirmation() else {
            // A proof that nothing in the token asks for would prove nothing.
            return if scheme == TokenScheme::Bearer { Ok(()) } else { Err(TokenFault::Unbound.into()) };
        };
        if *unknown || (jkt.is_none() && x5t_s256.is_none()) {
            return Err(TokenFault::SenderConstrained.into());
        }
        if let Some(thumbprint) = x5t_s256 {
            check_certificate(thumbprint, request)?;
        }
        match (jkt, scheme) {
            (Some(jkt), TokenScheme::Dpop) => self.check_proof(principal, request, presented.as_str(), jkt),
            (Some(_), TokenScheme::Bearer) => Err(TokenFault::SenderConstrained.into()),
            (None, TokenScheme::Dpop) => Err(TokenFault::Unbound.into()),
            (None, TokenScheme::Bearer) => Ok(()),
        }
    }

    #[cfg(feature = "dpop")]
    fn check_proof(
        &self,
        principal: &Principal,
        request: &Parts,
        token: &str,
        jkt: &str,
    ) -> Result<(), Refusal> {
        let rules = self.dpop.as_ref().ok_or(TokenFault::SenderConstrained)?;
        rules.check(principal, request, token, jkt)
    }

    #[cfg(not(feature = "dpop"))]
    #[expect(clippy::unused_self, reason = "without the feature the answer is known")]
    fn check_proof(&self, _: &Principal, _: &Parts, _: &str, _: &str) -> Result<(), Refusal> {
        Err(TokenFault::SenderConstrained.into())
    }
}

#[cfg(feature = "mtls")]
fn check_certificate(thumbprint: &str, request: &Parts) -> Result<(), TokenFault> {
    let certificate = request.extensions.get::<crate::ClientCertificate>();
    let certificate = certificate.ok_or(TokenFault::SenderConstrained)?;
    if certificate.has_thumbprint(thumbprint) { Ok(()) } else { Err(TokenFault::OtherCertificate) }
}

#[cfg(not(feature = "mtls"))]
fn check_certificate(_: &str, _: &Parts) -> Result<(), TokenFault> {
    Err(TokenFault::SenderConstrained)
}
