//! `partner`: requests to the partner's own API. Base URL, credential, quota and the limits of a request are
//! [`crate::partner`]'s; here is what a run adds: the preview and the trace.

use std::time::Duration;

use contactor_runtime::bindings::partner::{Host, Request, Response};
use contactor_runtime::bindings::types::Error;

use super::Direct;
use crate::access;
use crate::partner::{check_size, is_write, out_of_order_until};

/// Longest wait for the partner's quota within one request. A run that is sent away has read both sides for nothing, so a short
/// wait is cheaper; a long one would hold an instance.
const PATIENCE: Duration = Duration::from_secs(2);

impl Direct {
    /// Whether a request is no larger than one may be; what is refused leaves its beginning in the run.
    pub(super) fn fits(&self, request: &Request) -> Result<(), Error> {
        let fits = check_size(request);
        if let Err(error) = &fits {
            let hidden = self.run.recorder.hidden();
            self.run.recorder.call(self.run.active.partner.refused(request, error, hidden));
        }
        fits
    }
}

impl Host for Direct {
    async fn send(&mut self, request: Request) -> Result<Response, Error> {
        if is_write(request.method)
            && let Err(refused) = access::hold_back(self.run.preview)
        {
            let hidden = self.run.recorder.hidden();
            self.run.recorder.call(self.run.active.partner.held_back(&request, hidden));
            return Err(refused);
        }
        let mut left = PATIENCE;
        loop {
            let hidden = self.run.recorder.hidden();
            let sent = self.run.active.partner.send(request.clone(), hidden, self.run.engine.now());
            let (call, answer) = sent.await;
            // Nothing was sent: a refusal of the partner itself is an answer.
            if let Err(Error::Limited(Some(millis))) = &answer
                && self.run.engine.time_passes()
                && let Some(rest) = left.checked_sub(Duration::from_millis(*millis))
            {
                left = rest;
                tokio::time::sleep(Duration::from_millis(*millis)).await;
                continue;
            }
            self.run.recorder.call(call);
            let asked =
                answer.as_ref().ok().and_then(|answer| out_of_order_until(answer, self.run.engine.now()));
            if let Some(until) = asked {
                self.run.recorder.wait_until(until);
            }
            return answer;
        }
    }
}
