//! Middleware: a request's headers do not keep the buffer that they were read into.
//!
//! The values of headers are slices of the connection's read buffer, 8 KiB and more. The server keeps up to 256
//! requests of each worker for reuse, with their headers. After a peak most of them wait for the next one. Each would
//! keep a buffer of a connection that is closed: several MiB in all.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use bytes::BytesMut;

/// Copies the headers of a request before anything else is done with it.
pub(crate) async fn copied<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    copy(request.headers_mut());
    next.call(request).await
}

/// Copies all values into one buffer of their size.
fn copy(headers: &mut HeaderMap) {
    let mut buffer = BytesMut::with_capacity(headers.iter().map(|(_, value)| value.len()).sum());
    headers.retain(|_, value| {
        buffer.extend_from_slice(value.as_bytes());
        // The same bytes were a value before.
        if let Ok(own) = HeaderValue::from_maybe_shared(buffer.split().freeze()) {
            *value = own;
        }
        true
    });
}

#[cfg(test)]
mod tests {
    //! Tests of the copied headers.
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

    use actix_web::http::header::HeaderName;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpRequest, HttpResponse, web};
    use bytes::Bytes;

    use super::*;

    const VALUES: [&str; 4] = ["application/json", "", "sha256=0123", "a, b"];

    fn name(n: usize) -> HeaderName {
        HeaderName::try_from(format!("x-{n}")).unwrap()
    }

    #[actix::test]
    async fn a_request_that_is_kept_for_reuse_does_not_keep_the_read_buffer() {
        let handler = |request: HttpRequest| async move {
            for (n, value) in VALUES.iter().enumerate() {
                assert_eq!(request.headers().get(name(n)).unwrap(), value);
            }
            assert_eq!(request.headers().len(), VALUES.len());
            HttpResponse::Ok().finish()
        };
        let app = init_service(App::new().route("/", web::get().to(handler)).wrap(from_fn(copied))).await;
        let read = Bytes::from(VALUES.concat().into_bytes());
        let mut request = TestRequest::get().uri("/").to_request();
        let mut rest = read.clone();
        for (n, value) in VALUES.iter().enumerate() {
            let value = HeaderValue::from_maybe_shared(rest.split_to(value.len())).unwrap();
            request.headers_mut().append(name(n), value);
        }
        drop(rest);
        assert!(!read.is_unique());
        assert!(call_service(&app, request).await.status().is_success());
        assert!(read.is_unique(), "a request that is over keeps the read buffer");
    }

    #[test]
    fn two_values_of_one_name_keep_their_order() {
        let mut headers = HeaderMap::new();
        for value in ["first", "second"] {
            headers.append(name(0), HeaderValue::from_static(value));
            headers.append(name(1), HeaderValue::from_static(value));
        }
        copy(&mut headers);
        for n in 0..2 {
            assert_eq!(headers.get_all(name(n)).collect::<Vec<_>>(), ["first", "second"]);
        }
    }
}
