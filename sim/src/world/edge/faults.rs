//! What goes wrong with edge isolates, and with the answers that leave them.

use crate::kernel::random::Delay;

/// The knobs of the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeFaults {
    /// Of 1,000 requests that come while isolates of their datacenter serve others, those that one of these serves, too.
    /// Any other has an isolate of its own, as long as there is one (measured: about one isolate per concurrent request).
    pub shares_busy_isolate_permille: u32,
    /// How long an isolate has served nothing before it dies; 0 if it never does.
    pub isolate_idle: Delay,
    /// Of 1,000 requests, those whose edge isolate restarts while it serves them. All its other requests fail with
    /// them.
    pub isolate_restart_permille: u32,
    /// By how much the clock of an isolate differs from the world's at most, either way, in ms: when it starts again it
    /// may be on another machine.
    pub clock_off_ms: u64,
    /// Of 1,000 polls of tasks, those that lose the isolate's instance of core, before the poll or after it: all tasks
    /// are lost, and requests without an answer are served anew.
    pub instance_lost_permille: u32,
    /// Of 1,000 requests, those that the platform ends without telling them: their tasks are never polled again.
    pub request_vanished_permille: u32,
    /// How long after they came they are ended.
    pub request_vanishes: Delay,
    /// Of 1,000 clients that go before they have an answer, those whose going the platform notices: it ends their
    /// requests.
    pub client_gone_noticed_permille: u32,
    /// Of 1,000 replies of objects, those that break off after their head.
    pub reply_broken_permille: u32,
    /// Of 1,000 questions to a limit of how often clients may do something, those that are told that this is too often. Who
    /// else has done it meanwhile, there and under the same key, no client knows.
    pub rate_exceeded_permille: u32,
    /// Of 1,000 such questions, those that have no answer in time. Where neither happens, there are no limits.
    pub rate_unknown_permille: u32,
    /// Of 1,000 flights, those that are lost: they land, and those who have joined them are not told.
    pub flight_lost_permille: u32,
    /// Of 1,000 writes on streamed answers, those that arrive in several pieces, cut between any two bytes.
    pub answer_in_pieces_permille: u32,
    /// How long after the one before each further piece comes.
    pub answer_pause: Delay,
    /// Of 1,000 pieces of streamed answers, those at which the client's connection breaks. The edge notices when it
    /// writes again.
    pub answer_cut_permille: u32,
    /// Of 1,000 pieces of streamed answers, those at which the connection dies: this piece and later ones never arrive,
    /// and nobody is told.
    pub answer_lost_permille: u32,
}

impl EdgeFaults {
    /// Whether the deployment has limits of how often clients may do something.
    pub fn limits_rates(&self) -> bool {
        self.rate_exceeded_permille > 0 || self.rate_unknown_permille > 0
    }

    pub(in crate::world) fn delays(&self) -> Self {
        // Which isolates there are, and that the platform notices clients that have gone, is no fault: it stays.
        Self {
            shares_busy_isolate_permille: self.shares_busy_isolate_permille,
            isolate_idle: self.isolate_idle,
            client_gone_noticed_permille: self.client_gone_noticed_permille,
            ..Self::default()
        }
    }
}
