//! Known bugs of a host, switched on by name, to prove that the checkers catch them.

use crate::kernel::named::named;

named! {
    /// A bug of the host.
    pub enum HostMutant {
        /// Answers leave before what was written before them is durable.
        AnswerBeforeGate = "answer-before-gate";
        /// An object that hibernates or is evicted loses its alarm.
        AlarmLostAtEviction = "alarm-lost-at-eviction";
        /// A socket does not let its object sleep: a waiting reader keeps the object in memory, and it is billed.
        WaiterKeepsAwake = "waiter-keeps-awake";
        /// An object that hibernates forgets its sockets, which stay open.
        SocketsForgottenAtHibernation = "sockets-forgotten-at-hibernation";
        /// Messages on sockets leave before what was written before them is durable.
        MessageBeforeGate = "message-before-gate";
    }
}
