//! The services of a world, which all its objects share, one line each. A service is made by `new` from the
//! environment, and `calm` ends what goes wrong with it.

use std::rc::Rc;

use super::bucket::Bucket;
use super::cache::Caches;
use super::environment::Environment;
use super::front::Fronts;
use super::kv::Kv;

macro_rules! services {
    ($($(#[doc = $doc:literal])* $name:ident: $service:ty;)*) => {
        /// One service of each kind.
        pub struct Services {
            $($(#[doc = $doc])* pub $name: Rc<$service>,)*
        }

        impl Services {
            pub(super) fn new(environment: &Rc<Environment>) -> Self {
                Self { $($name: Rc::new(<$service>::new(environment.clone())),)* }
            }

            /// Ends what goes wrong with the services.
            pub(super) fn calm(&self) {
                $(<$service>::calm(&self.$name);)*
            }
        }
    };
}

services! {
    /// R2.
    bucket: Bucket;
    /// The caches of datacenters.
    cache: Caches;
    /// What stands in front of the isolates.
    front: Fronts;
    /// KV.
    kv: Kv;
}
