//! Objects by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use tailrace_core::protocol::Address;
use tailrace_core::runtime::ObjectRequest;

use crate::kernel::reply::Reply;
use crate::world::environment::Environment;
use crate::world::network::callee::{Callee, Caller, Opened};
use crate::world::objects::class::ObjectClass;
use crate::world::objects::object::Object;
use crate::world::services::Services;

/// All objects of a world, of all classes, by how they are written. An object is made at its first request.
pub(crate) struct Namespace<A: ObjectClass> {
    environment: Rc<Environment>,
    services: Rc<Services>,
    settings: A::Settings,
    objects: RefCell<BTreeMap<String, Rc<Object<A>>>>,
    own: Weak<Self>,
}

impl<A: ObjectClass> Namespace<A> {
    pub(crate) fn new(environment: Rc<Environment>, services: Rc<Services>, settings: A::Settings) -> Rc<Self> {
        Rc::new_cyclic(|own| Self { environment, services, settings, objects: RefCell::default(), own: own.clone() })
    }

    /// The object of that class and name, which is made if it is not there, for a caller in the datacenter of that index.
    pub(crate) fn object(&self, address: Address<'_>, caller: usize) -> Rc<Object<A>> {
        let name = address.to_string();
        if let Some(object) = self.objects.borrow().get(&name) {
            return object.clone();
        }
        let (environment, services, settings) =
            (self.environment.clone(), self.services.clone(), self.settings.clone());
        let colo = environment.colo_of(&name, caller);
        let object = Object::new((address.class, &name), colo, environment, services, settings, self.own.clone());
        self.objects.borrow_mut().insert(name, object.clone());
        object
    }

    /// The object that is written so, if anyone ever asked for it.
    pub(crate) fn find(&self, name: &str) -> Option<Rc<Object<A>>> {
        self.objects.borrow().get(name).cloned()
    }

    /// All objects, in the order of how they are written.
    pub(crate) fn all(&self) -> Vec<Rc<Object<A>>> {
        self.objects.borrow().values().cloned().collect()
    }
}

impl<A: ObjectClass> Callee for Namespace<A> {
    fn call(&self, object: Address<'_>, request: ObjectRequest, caller: Caller) -> Reply<Opened> {
        self.object(object, caller.colo).call(request, caller)
    }

    fn end_socket(&self, object: &str, number: u64) {
        if let Some(object) = self.find(object) {
            object.end_socket(number);
        }
    }
}
