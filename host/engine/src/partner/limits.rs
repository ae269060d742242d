//! The partner's limits, kept for each request: the quotas that the manifest declares, and the time for which a 429 keeps requests away.

use std::sync::{Arc, PoisonError};

use contactor_runtime::bindings::partner::{Request, Response};
use contactor_runtime::bindings::types::Error;
use contactor_store::ConnectionId;
use jiff::Timestamp;

use super::PartnerApi;
use super::limited::{self, Limited};
use super::method::method_name;
use super::quota::Quotas;
use crate::manage::PartnerQuota;

impl PartnerApi {
    /// Takes one request out of every quota of the manifest that counts it.
    pub(super) fn take_quota(&self, request: &Request, now: Timestamp) -> Result<(), Error> {
        if let Some(until) = self.limited_until(now) {
            let wait = until.duration_since(now).as_millis();
            return Err(Error::Limited(Some(u64::try_from(wait).unwrap_or(u64::MAX).max(1))));
        }
        let matching = self.quotas_of(request);
        let mut windows = self.quotas.windows();
        windows.take(&matching, now).map_err(|wait| Error::Limited(Some(wait)))
    }

    /// A 429 keeps further requests away until its time: those of the declared quota that it is about, or all.
    pub(super) fn note_limit(&self, request: &Request, response: &Response, now: Timestamp) {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        if response.status != http::StatusCode::TOO_MANY_REQUESTS.as_u16() {
            return limited.answered(now);
        }
        let asked = retry_after(response);
        let matching = self.quotas_of(request);
        let narrow: Vec<usize> =
            matching.into_iter().filter(|&i| !self.quotas.declared()[i].counts_all()).collect();
        if narrow.is_empty() {
            limited.refused(asked, now);
        } else {
            let until = Limited::default().refused(asked, now);
            self.quotas.windows().block(&narrow, until);
        }
    }

    /// The quotas of the manifest that count a request.
    fn quotas_of(&self, request: &Request) -> Vec<usize> {
        let counts =
            |&i: &usize| self.quotas.declared()[i].counts(method_name(request.method), &request.path);
        (0..self.quotas.declared().len()).filter(counts).collect()
    }

    /// What is used of the declared quotas, for another version of the same connector: the partner counts both.
    pub(crate) fn shared_quotas(&self) -> Arc<Quotas> {
        Arc::clone(&self.quotas)
    }

    /// How the declared quotas stand.
    pub(crate) fn quotas(&self, connection: &ConnectionId, now: Timestamp) -> Vec<PartnerQuota> {
        let limited = self.limited_until(now);
        let mut windows = self.quotas.windows();
        let quotas = self.quotas.declared().iter().enumerate().map(|(i, quota)| {
            let (used, blocked) = windows.state(i, now);
            PartnerQuota {
                connection: connection.clone(),
                scope: quota.scope.clone(),
                requests: quota.requests,
                per_seconds: quota.per_seconds,
                used,
                blocked_until: blocked.max(limited),
            }
        });
        quotas.collect()
    }

    /// Until when the partner asked to be left alone.
    pub(crate) fn limited_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner).until(now)
    }
}

fn retry_after(response: &Response) -> Option<&str> {
    let header = response.headers.iter().find(|header| header.name == http::header::RETRY_AFTER.as_str());
    header.map(|header| header.value.as_str())
}

/// Until when a partner that is out of order (5xx) asks to be left alone, if it says so. That is about this request: unlike after a
/// 429, its other endpoints may be well.
pub fn out_of_order_until(response: &Response, now: Timestamp) -> Option<Timestamp> {
    let is_out_of_order = (500..600).contains(&response.status);
    let wait = limited::wait(retry_after(response).filter(|_| is_out_of_order)?, now)?;
    now.checked_add(wait.min(limited::DAY)).ok()
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::partner::Pair;

    use super::*;
    use crate::partner::testing::{api, get};

    #[test]
    fn a_partner_that_is_out_of_order_says_when_to_come_again_about_this_request_alone() {
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let answer = |status, value: &str| Response {
            status,
            headers: vec![Pair { name: "retry-after".to_owned(), value: value.to_owned() }],
            body: Vec::new(),
        };
        let until = |status, value| out_of_order_until(&answer(status, value), now);
        let after = |seconds| Some(now + jiff::SignedDuration::from_secs(seconds));
        assert_eq!(until(503, "120"), after(120));
        assert_eq!(until(500, "Thu, 26 Nov 2026 10:01:30 GMT"), after(90));
        assert_eq!(until(502, "4000000000"), after(86_400), "no longer than a day");
        assert_eq!([until(200, "120"), until(404, "120"), until(503, "soon")], [None; 3]);
        let api = api(100);
        api.note_limit(&get("/x", &[]), &answer(503, "120"), now);
        assert_eq!(api.limited_until(now), None);
        api.note_limit(&get("/x", &[]), &answer(429, "120"), now);
        assert_eq!(api.limited_until(now), after(120));
    }
}
