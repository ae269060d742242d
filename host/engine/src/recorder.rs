//! Collects what a run does, so that the run can be stored with its calls however it ends.
//!
//! A guest call may be dropped in the middle (time-out, trap); the recorder is therefore shared and filled as calls end.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use contactor_highlevel::{CallRecord, Recorder};
use contactor_store::{Call, FailureClass, FieldRemark};
use jiff::Timestamp;

use crate::blame;
use crate::partner::{PartnerApi, Redactor, blank};
use crate::usage::Meter;

/// Lines a connector may write in one run; the rest is counted.
const LOG_LINES: usize = 100;
/// Bytes of one log line.
const LOG_LINE: usize = 1_024;
/// Bytes of a path at HighLevel that a run keeps.
const PATH: usize = 512;
/// Bytes of bodies that one run keeps. A connector may make hundreds of calls in a run: the later ones are kept without theirs.
const BODIES: usize = 512 * 1024;

/// The calls and log lines of one run.
#[derive(Default)]
pub(crate) struct RunRecorder {
    inner: Mutex<Recorded>,
    hidden: OnceLock<Redactor>,
    nothing_hidden: Redactor,
    partner: Option<Arc<PartnerApi>>,
    meter: Option<Meter>,
}

#[derive(Default)]
struct Recorded {
    calls: Vec<Call>,
    bodies: usize,
    remarks: Vec<FieldRemark>,
    log: Vec<String>,
    dropped: usize,
    wait_until: Option<Timestamp>,
}

impl RunRecorder {
    /// One of a connection, whose calls are counted and whose credential is kept out of it.
    pub(crate) fn of_connection(partner: Arc<PartnerApi>, meter: Meter) -> Self {
        Self { partner: Some(partner), meter: Some(meter), ..Self::default() }
    }

    /// Keeps these values out of what the run leaves behind. They are given once, before the run makes its first call.
    pub(crate) fn hide(&self, hidden: Redactor) {
        // A second giving would be a mistake of the caller, and the first one stays.
        let _ = self.hidden.set(hidden);
    }

    /// What the run must not keep.
    pub(crate) fn hidden(&self) -> &Redactor {
        self.hidden.get().unwrap_or(&self.nothing_hidden)
    }

    /// A text as the run may keep it.
    pub(crate) fn shown(&self, text: String) -> String {
        blank(&self.redacted(text))
    }

    /// A text without the values that the run hides and without the connection's credential.
    fn redacted(&self, text: String) -> String {
        let text = self.hidden().text(text);
        match &self.partner {
            Some(partner) => partner.redacted(text),
            None => text,
        }
    }

    /// Notes a finished call.
    pub(crate) fn call(&self, mut call: Call) {
        if call.write && call.target != "guest" {
            contactor_store::torture::point("after-write");
        }
        if let Some(meter) = &self.meter {
            meter.count(&call);
        }
        // A failure may repeat what the connector was given.
        call.error = call.error.map(|error| self.redacted(error));
        let mut inner = self.lock();
        for body in [&mut call.request, &mut call.response].into_iter().flatten() {
            if inner.bodies + body.len() > BODIES {
                *body = format!("({} bytes, left out: this run has kept enough)", body.len());
            } else {
                inner.bodies += body.len();
            }
        }
        inner.calls.push(call);
    }

    /// Notes a line of the connector's log.
    pub(crate) fn line(&self, line: String) {
        let mut inner = self.lock();
        if inner.log.len() >= LOG_LINES {
            inner.dropped += 1;
            return;
        }
        inner.log.push(blank(&cut(self.redacted(line), LOG_LINE)));
    }

    /// Notes fields that a write left as they are. One that is left alone again and again is noted once.
    pub(crate) fn remark(&self, remarks: Vec<FieldRemark>) {
        let mut inner = self.lock();
        for remark in remarks {
            if !inner.remarks.contains(&remark) {
                inner.remarks.push(remark);
            }
        }
    }

    /// The partner was out of order and named a time.
    pub(crate) fn wait_until(&self, until: Timestamp) {
        let mut inner = self.lock();
        inner.wait_until = inner.wait_until.max(Some(until));
    }

    /// Until when the partner asked this run to leave it alone.
    pub(crate) fn waits_until(&self) -> Option<Timestamp> {
        self.lock().wait_until
    }

    /// What a call to the partner was not sent for: it would have gone where no operator lets this host go.
    pub(crate) fn closed(&self) -> Option<String> {
        let inner = self.lock();
        let is_closed = |call: &&Call| call.target == "partner" && call.class == Some(FailureClass::Config);
        inner.calls.iter().rev().find(is_closed)?.error.clone()
    }

    /// Hands the remarks over.
    pub(crate) fn remarks(&self) -> Vec<FieldRemark> {
        std::mem::take(&mut self.lock().remarks)
    }

    /// How many calls to HighLevel were made so far.
    pub(crate) fn count(&self, target: &str) -> u64 {
        self.lock().calls.iter().filter(|call| call.target == target).count() as u64
    }

    /// Hands calls and log lines over and starts anew with them.
    pub(crate) fn take(&self) -> (Vec<Call>, Vec<String>) {
        let remarks = self.remarks();
        let mut inner = std::mem::replace(&mut *self.lock(), Recorded { remarks, ..Recorded::default() });
        if inner.dropped > 0 {
            inner.log.push(format!("… {} further lines were dropped", inner.dropped));
        }
        (inner.calls, inner.log)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the client's calls over into the run.
pub(crate) struct HighLevelCalls {
    recorder: Arc<RunRecorder>,
    body_cap: usize,
}

impl HighLevelCalls {
    pub(crate) fn new(recorder: Arc<RunRecorder>, body_cap: usize) -> Self {
        Self { recorder, body_cap }
    }
}

impl Recorder for HighLevelCalls {
    fn record(&self, call: CallRecord) {
        let redacted = |text| self.recorder.redacted(text);
        let capped = |body: Option<String>| body.map(|body| blank(&cut(redacted(body), self.body_cap)));
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let path = format!("{} {}", call.method, cut(redacted(call.path), PATH));
        let mut noted = Call {
            target: "highlevel".to_owned(),
            operation: call.operation.to_owned(),
            path: Some(blank(&path)),
            status: call.status,
            quota_remaining: call.quota.as_ref().and_then(|quota| quota.burst_remaining),
            daily_remaining: call.quota.as_ref().and_then(|quota| quota.daily_remaining),
            waited_us: micros(call.waited),
            duration_us: micros(call.duration),
            write: call.write,
            request: capped(call.request_body),
            response: capped(call.response_body),
            error: call.error,
            class: None,
            trace_id: call.trace_id,
        };
        noted.class = blame::of_call(&noted);
        self.recorder.call(noted);
    }
}

/// Cuts a text to at most `cap` bytes, between characters.
pub(crate) fn cut(mut text: String, cap: usize) -> String {
    if text.len() > cap {
        let end = (0..=cap).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_talkative_connector_fills_its_share_and_no_more() {
        let recorder = RunRecorder::default();
        for _ in 0..LOG_LINES + 5 {
            recorder.line("é".repeat(LOG_LINE));
        }
        let (_, log) = recorder.take();
        assert_eq!(log.len(), LOG_LINES + 1);
        assert!(log.iter().all(|line| line.len() <= LOG_LINE + "…".len()));
        assert!(log[LOG_LINES].contains("5 further lines"));
    }

    #[test]
    fn a_run_of_many_calls_keeps_them_all_and_the_bodies_of_the_first() {
        let recorder = RunRecorder::default();
        for _ in 0..1_000 {
            let body = Some("x".repeat(1_024));
            recorder.call(Call { request: body.clone(), response: body, ..call() });
        }
        let (calls, _) = recorder.take();
        assert_eq!(calls.len(), 1_000);
        assert_eq!(calls[0].response.as_ref().map(String::len), Some(1_024));
        assert_eq!(calls[999].response.as_deref(), Some("(1024 bytes, left out: this run has kept enough)"));
        let kept: usize =
            calls.iter().flat_map(|call| [&call.request, &call.response]).flatten().map(String::len).sum();
        assert!(kept < BODIES + 2_000 * 64, "{kept}");
    }

    fn call() -> Call {
        Call {
            target: "partner".to_owned(),
            operation: "GET /testers".to_owned(),
            status: Some(200),
            ..Call::default()
        }
    }
}
