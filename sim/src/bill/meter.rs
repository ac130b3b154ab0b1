//! What is counted for a bill, with its units.

use crate::kernel::named::named;

named! {
    /// Something that is counted. Each has a unit of its own, small enough to be counted in whole numbers.
    pub enum Meter {
        /// Requests that reached a Worker, or that Workers Cache answered. One that passes a gateway counts twice.
        WorkerRequests = "Worker requests";
        /// CPU of Workers, in us.
        WorkerCpuUs = "Worker CPU";
        /// Requests that reached an object, calls of alarms among them.
        ObjectRequests = "object requests";
        /// Messages that came to objects on sockets. Twenty count as a request; those that objects send are free.
        SocketMessages = "messages to objects";
        /// Time for which an object was active, or idle and unable to hibernate, in ms.
        ObjectMs = "object duration";
        /// Rows that statements have read.
        RowsRead = "rows read";
        /// Rows that statements have written, those of indexes and deleted ones among them, and alarms that were set.
        RowsWritten = "rows written";
        /// Bytes that objects store, for an hour each.
        SqliteByteHours = "object storage";
        /// Keys read from KV.
        KvReads = "KV reads";
        /// Keys written to KV.
        KvWrites = "KV writes";
        /// Keys deleted from KV.
        KvDeletes = "KV deletions";
        /// Listings of KV.
        KvLists = "KV listings";
        /// Operations of R2 that write or list; a conditional put that is refused is one too.
        R2ClassA = "R2 class A";
        /// Operations of R2 that read.
        R2ClassB = "R2 class B";
        /// Keys deleted from R2.
        R2Deletions = "R2 deletions";
        /// Bytes in R2, for an hour each.
        R2ByteHours = "R2 storage";
        /// Operations of queues: each 64 KB of a message that is written, read or deleted.
        QueueOperations = "queue operations";
        /// Requests that a zone's CDN has answered.
        ZoneHits = "hits of a zone's CDN";
        /// Requests that Workers Cache has answered; each of them is a Worker request, too.
        WorkersCacheHits = "hits of Workers Cache";
        /// Requests that the edge has answered from the cache of its datacenter.
        EdgeHits = "hits of the edge's cache";
        /// What the edge has written to connections with events: an event, a page of them, or a comment. It costs CPU.
        Deliveries = "events delivered";
    }
}

impl Meter {
    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Cause;

    #[test]
    fn each_is_at_its_place_under_a_name_of_its_own() {
        assert!(Meter::ALL.iter().enumerate().all(|(place, meter)| meter.index() == place));
        assert!(Cause::ALL.iter().enumerate().all(|(place, cause)| cause.index() == place));
        let names = Meter::ALL.iter().map(|meter| meter.name()).chain(Cause::ALL.iter().map(|cause| cause.name()));
        let distinct: std::collections::BTreeSet<&str> = names.collect();
        assert_eq!(distinct.len(), Meter::ALL.len() + Cause::ALL.len());
    }
}
