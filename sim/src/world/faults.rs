//! What goes wrong in a world, as numbers. Each part of the platform has knobs of its own, and one line in this table.

use super::alarm::AlarmFaults;
use super::bucket::BucketFaults;
use super::cache::CacheFaults;
use super::edge::EdgeFaults;
use super::front::FrontFaults;
use super::kv::KvFaults;
use super::map::MapFaults;
use super::network::NetworkFaults;
use super::objects::ObjectFaults;
use super::sockets::SocketFaults;
use super::storage::StorageFaults;

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident: $faults:ty;)*) => {
        /// The knobs. By default nothing goes wrong and nothing is delayed: what remains is the platform on a good day,
        /// which hibernates idle objects.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Faults {
            $($(#[doc = $doc])* pub $name: $faults,)*
        }

        impl Faults {
            /// What is left of the knobs when the faults have ended: latencies, slow starts and slow disks, which
            /// isolates there are, and how often the platform notices that a client has gone.
            pub fn delays(&self) -> Self {
                Self { $($name: self.$name.delays(),)* }
            }
        }
    };
}

faults! {
    /// Between clients, edge isolates and objects.
    network: NetworkFaults;
    /// Datacenters, and where objects are.
    map: MapFaults;
    /// Edge isolates and the answers that leave them.
    edge: EdgeFaults;
    /// Objects and their instances.
    objects: ObjectFaults;
    /// The disks of objects.
    storage: StorageFaults;
    /// Sockets of objects.
    sockets: SocketFaults;
    /// The alarm service.
    alarm: AlarmFaults;
    /// R2.
    bucket: BucketFaults;
    /// The caches of datacenters.
    cache: CacheFaults;
    /// What stands in front of the isolates.
    front: FrontFaults;
    /// KV.
    kv: KvFaults;
}

impl Faults {
    /// By how much the clock of an object differs from the world's at most, either way, in ms.
    pub fn object_clock_off_ms(&self) -> u64 {
        self.map.clock_off_ms + self.objects.clock_off_ms
    }

    /// The same faults with some knobs changed.
    pub fn with(mut self, turn: impl FnOnce(&mut Self)) -> Self {
        turn(&mut self);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Delay;

    #[test]
    fn what_is_left_of_faults_is_how_long_things_take() {
        let slow = Faults::default().with(|faults| {
            faults.network.client_link.latency = Delay::new(1, 2);
            faults.network.object_link.latency = Delay::new(3, 4);
            faults.map.distance_permille = 9;
            faults.objects.cold_start = Delay::new(5, 6);
            faults.storage.flush = Delay::new(7, 8);
            faults.bucket.put = Delay::new(9, 10);
            faults.cache.visible = Delay::new(11, 12);
            faults.front.zone = true;
            faults.front.lock_wait_ms = 13;
            faults.kv.kept = Delay::new(14, 15);
        });
        let faulty = slow.with(|faults| {
            faults.network.client_link.request_loss_permille = 1;
            faults.map.object_elsewhere_permille = 2;
            faults.map.clock_off_ms = 2;
            faults.edge.answer_cut_permille = 2;
            faults.edge.instance_lost_permille = 1;
            faults.objects.crash_permille = 3;
            faults.sockets.half_dead_permille = 4;
            faults.alarm.early_permille = 5;
            faults.bucket.damaged_permille = 6;
            faults.cache.evicted_permille = 9;
            faults.front.origin_unresolved_permille = 10;
            faults.kv.late_permille = 11;
            faults.kv.late = Delay::new(12, 13);
            faults.storage.statement_fails_permille = 7;
            faults.network.object_link.slow_permille = 8;
        });
        assert_eq!(faulty.delays(), slow);
        assert_eq!(slow.delays(), slow);
        assert_eq!(Faults::default().delays(), Faults::default());
    }
}
