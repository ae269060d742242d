//! `partner`: requests to the partner's own API. Base URL, credential, quota and the limits of a request are
//! [`crate::partner`]'s; here is what a run adds: the preview and the trace.

use contactor_runtime::bindings::partner::{Host, Request, Response};
use contactor_runtime::bindings::types::Error;

use super::Direct;
use crate::partner::is_write;

impl Host for Direct {
    async fn send(&mut self, request: Request) -> Result<Response, Error> {
        if is_write(request.method)
            && let Err(refused) = self.may_change()
        {
            self.run.recorder.call(self.run.active.partner.held_back(&request));
            return Err(refused);
        }
        let (call, answer) = self.run.active.partner.send(request, self.run.engine.now()).await;
        self.run.recorder.call(call);
        answer
    }
}
