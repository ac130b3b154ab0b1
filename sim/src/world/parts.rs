//! The parts of the platform, one line each: what can go wrong with it, and its service if it has one for all objects.
//!
//! From this table follow [`Faults`](super::Faults) and [`Services`](super::Services). A service is made by `new` from
//! the environment, and `calm` ends what goes wrong with it.

/// Hands the table to a macro.
macro_rules! parts {
    ($make:ident) => {
        $make! {
            #[doc = "Between clients, edge isolates and objects."]
            network: crate::world::network::NetworkFaults;
            #[doc = "Edge isolates and the answers that leave them."]
            edge: crate::world::edge::EdgeFaults;
            #[doc = "Objects and their instances."]
            objects: crate::world::objects::ObjectFaults;
            #[doc = "The disks of objects."]
            storage: crate::world::storage::StorageFaults;
            #[doc = "Sockets of objects."]
            sockets: crate::world::sockets::SocketFaults;
            #[doc = "The alarm service, which knows each object's alarm."]
            alarm: crate::world::alarm::AlarmFaults;
            #[doc = "R2."]
            bucket: crate::world::bucket::BucketFaults, crate::world::bucket::Bucket;
        }
    };
}

pub(super) use parts;
