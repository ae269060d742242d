//! A request's method: its name, and what it means for sending a request twice.

use contactor_runtime::bindings::partner::Method;

/// Whether sending a request of this method twice has the effect of sending it once. That of the others is the partner's affair.
pub(crate) fn is_repeatable(method: Method) -> bool {
    !matches!(method, Method::Post)
}

pub(crate) fn is_write(method: Method) -> bool {
    !matches!(method, Method::Get | Method::Head)
}

pub(super) fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

pub(super) fn http_method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}
