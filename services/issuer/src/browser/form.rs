use std::time::Duration;

use axum::body::Body;
use claviger_oauth::{Form, Issuer};
use http::{HeaderMap, header::CONTENT_TYPE};
use secrecy::SecretString;

use super::{ForeignOrigin, check_origin};
use crate::http::{BodyError, read_body};

const LIMIT: usize = 64 * 1024;
const TIME: Duration = Duration::from_secs(10);

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
        let bytes = read_form(headers, body).await.map_err(FormRefusal::Malformed)?;
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

/// Reads the body of a form.
pub(crate) async fn read_form(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, String> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err("the body must be application/x-www-form-urlencoded".to_owned());
    }
    read_body(body, LIMIT, TIME).await.map_err(|error| match error {
        BodyError::TooLarge => "the body is larger than 64 KiB".to_owned(),
        BodyError::TooSlow => "the body took longer than 10 s".to_owned(),
        BodyError::Broken(_) => "the body broke off".to_owned(),
    })
}
