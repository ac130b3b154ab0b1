//! What a client does for each action of a scenario.

use super::session::Session;
use crate::judge::scenario::Action;

impl Session {
    /// Does one thing, to its end.
    pub(crate) async fn act(&mut self, action: Action) {
        match action {
            Action::Create { stream, lifetime, closes, public, load } => {
                self.create(stream, lifetime, (closes, public), load).await;
            }
            Action::Delete { stream } => self.delete(stream).await,
            Action::Close { stream } => self.close(stream).await,
            Action::Append { stream, load, closes, mistake } => self.append(stream, load, closes, mistake).await,
            Action::Sequenced { stream, load, passed } => self.append_in_sequence(stream, load, passed).await,
            Action::Produce { stream, load, depth, copies, closes } => {
                self.produce(stream, load, depth, copies, closes).await;
            }
            Action::Resend { stream, back } => self.resend(stream, back).await,
            Action::Skip { stream, load } => self.skip(stream, load).await,
            Action::Restart => self.producing.clear(),
            Action::Read { stream, origin, pages, manner } => self.walk(stream, origin, pages, manner).await,
            Action::Head { stream } => self.head(stream).await,
            Action::NewReaderKey { stream } => self.new_reader_key(stream).await,
            Action::Join { stream, mode, origin, readers, ahead } => self.join(stream, mode, origin, readers, ahead),
            Action::Stall { stream, for_ms } => self.stall(stream, for_ms),
            Action::Leave { stream } => self.leave(stream),
        }
    }
}
