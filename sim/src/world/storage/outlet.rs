//! What everything that leaves an instance passes: it waits until what the instance wrote before is durable, and calls
//! under way keep the instance in memory.

use std::future::Future;
use std::rc::Rc;

use futures_util::FutureExt;

use crate::kernel::rt::{self, Node};
use crate::world::activity::{Activity, Spells};
use crate::world::environment::Environment;
use crate::world::marks;
use crate::world::object_id::object_id;
use crate::world::spender::Spender;
use crate::world::storage::gate::Gate;
use crate::world::storage::journal::Journal;
use crate::world::storage::object_sql::ObjectSql;

/// The longest time for which a call keeps its object in memory, in ms (Cloudflare, Durable Objects lifecycle).
const KEPT_MS: u64 = 15 * 60 * 1_000;

/// What everything that leaves an instance passes: answers, messages, and calls of objects and of services.
pub(crate) struct Outlet {
    /// The object's name.
    pub(crate) name: Rc<str>,
    /// The object's identity.
    pub(crate) id: String,
    pub(crate) environment: Rc<Environment>,
    pub(crate) sql: ObjectSql,
    pub(crate) gate: Gate,
    pub(crate) activity: Activity,
    /// What it spends on what.
    pub(crate) spender: Spender,
    /// Where what the instance does by itself runs; it ends with the instance.
    pub(crate) node: Node,
}

impl Outlet {
    pub(crate) fn new(name: Rc<str>, environment: Rc<Environment>, journal: Rc<Journal>, spells: Spells) -> Rc<Self> {
        Rc::new(Self {
            id: object_id(&name),
            gate: Gate::new(journal.confirmed()),
            sql: ObjectSql::new(environment.clone(), name.clone(), journal),
            activity: Activity::new(spells),
            spender: Spender::default(),
            node: Node::new(),
            name,
            environment,
        })
    }

    /// Puts something out. Returns whether the gate holds it back.
    pub(crate) fn put_out(&self, output: impl FnOnce() + 'static) -> bool {
        self.gate.pass(self.sql.position(), output)
    }

    /// What a call of a service brings, if it comes within its time. The call goes on, and keeps the object in memory,
    /// also once its caller has given it up.
    pub(crate) async fn within<T: 'static>(&self, limit_ms: u64, call: impl Future<Output = T> + 'static) -> Option<T> {
        let calling = self.activity.call();
        let mut call = call.boxed_local();
        if let Some(brought) = rt::within_ms(limit_ms, &mut call).await {
            return Some(brought);
        }
        self.environment.mark(marks::CALL_OUTLIVED_ITS_CALLER);
        self.node.spawn(async move {
            rt::within_ms(KEPT_MS.saturating_sub(limit_ms), call).await;
            drop(calling);
        });
        None
    }
}
