use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

/// Why a request body was not read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes were announced or sent than the route takes: 413.
    #[error("the request body is larger than this route takes")]
    TooLarge,
    /// The body did not arrive within its time: 408.
    #[error("the request body arrived too slowly")]
    TooSlow,
    /// The client went away in the middle, or broke the framing: 400.
    #[error("the request body broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// Reads a request body of at most `limit` bytes that arrives `within` a time.
///
/// A `Content-Length` over the limit is refused before a byte is read. A body that arrives in one
/// piece, as nearly all do, is returned without a copy.
///
/// # Errors
/// [`BodyError`] says what to answer; the rest of the body is left unread, so the connection
/// ends with that answer.
pub async fn read_body(body: Body, limit: usize, within: Duration) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    match timeout(within, join_data(Limited::new(body, limit))).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(error)) => Err(BodyError::Broken(error)),
        Err(_elapsed) => Err(BodyError::TooSlow),
    }
}

type ReadError = Box<dyn Error + Send + Sync>;

/// Copies the pieces together as they come, from the second on: `collect` keeps them all, and a
/// body of one-byte chunks would then cost some 40 times its length.
async fn join_data(mut body: Limited<Body>) -> Result<Bytes, ReadError> {
    let Some(first) = next_data(&mut body).await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = next_data(&mut body).await? else {
        return Ok(first);
    };
    let mut joined = [first, second].concat();
    while let Some(data) = next_data(&mut body).await? {
        joined.extend_from_slice(&data);
    }
    Ok(joined.into())
}

async fn next_data(body: &mut Limited<Body>) -> Result<Option<Bytes>, ReadError> {
    while let Some(frame) = body.frame().await {
        // Trailers are dropped: nothing here reads them.
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check_read(body: impl Into<Body>, limit: usize, expected: &str) {
        let read = read_body(body.into(), limit, Duration::from_secs(10)).await;
        let read = match read {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(read, expected);
    }

    // S-102
    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        check_read("", 0, "").await;
        check_read("12345", 5, "12345").await;
        let large = "the request body is larger than this route takes";
        check_read("123456", 5, large).await;
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let sent = Bytes::from(vec![7; 100]);
        let read = read_body(sent.clone().into(), 100, Duration::from_secs(10));
        assert_eq!(read.await.unwrap().as_ptr(), sent.as_ptr());
    }
}
