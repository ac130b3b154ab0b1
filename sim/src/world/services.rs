//! The services of a world, which all its objects share.

use std::rc::Rc;

use super::environment::Environment;
use super::parts::parts;

macro_rules! services {
    ($(#[doc = $doc:literal] $name:ident: $faults:ty $(, $service:ty)?;)*) => {
        /// One of each service of the table `parts`.
        pub struct Services {
            $($(#[doc = $doc] pub $name: Rc<$service>,)?)*
        }

        impl Services {
            pub(super) fn new(environment: &Rc<Environment>) -> Self {
                Self { $($($name: Rc::new(<$service>::new(environment.clone())),)?)* }
            }

            /// Ends what goes wrong with them.
            pub(super) fn calm(&self) {
                $($(<$service>::calm(&self.$name);)?)*
            }
        }
    };
}

parts!(services);
