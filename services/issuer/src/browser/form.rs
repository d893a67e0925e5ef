use axum::body::Body;
use claviger_oauth::{Form, Issuer};
use http::HeaderMap;
use secrecy::SecretString;

use super::{ForeignOrigin, check_origin};
use crate::http::read_form;

/// A form that a page of ours has posted: its fields are read as strictly as a protocol request's, so that whoever
/// looked at it before has seen the same.
pub(crate) struct PostedForm(Form);

/// Why a posted form is not looked at any further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormRefusal {
    /// Another site's page has posted it, or may have.
    #[error(transparent)]
    Foreign(#[from] ForeignOrigin),
    /// It is not a form, or not one that any page of ours would post.
    #[error("{0}")]
    Malformed(String),
}

impl PostedForm {
    /// Reads a form, if a page of this issuer has posted it.
    ///
    /// # Errors
    /// [`FormRefusal`]; for a foreign one before anything of the body is read.
    pub(crate) async fn read(issuer: &Issuer, headers: &HeaderMap, body: Body) -> Result<Self, FormRefusal> {
        check_origin(headers, issuer)?;
        let bytes =
            read_form(headers, body).await.map_err(|reason| FormRefusal::Malformed(reason.to_owned()))?;
        let form = Form::parse(&bytes, "").map_err(|error| FormRefusal::Malformed(error.to_string()))?;
        Ok(Self(form))
    }

    /// Takes a field out; empty if it is not there.
    pub(crate) fn take(&mut self, name: &str) -> String {
        self.0.take(name).unwrap_or_default()
    }

    /// Takes a field out that is nobody else's business.
    pub(crate) fn take_secret(&mut self, name: &str) -> SecretString {
        self.take(name).into()
    }
}
