//! The operator of a deployment with keys, who rotates them without a request that is refused for it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tailrace_core::protocol::ProjectMode;

use crate::judge::client::Issuer;
use crate::judge::tenancy::{LISTED_ORIGINS, Tenancy};
use crate::kernel::rt;
use crate::tailrace::{Access, EdgeConfig, KeyRing, Origins, Registry, World};

/// How often an operator looks whether a key is still in use, in ms, and for how long: longer than any client waits for an
/// answer.
const LOOKS_MS: u64 = 20;
const WAITS_MS: u64 = 60_000;

/// A stream of the project of which KV knows, where there are two.
const IN_KV: usize = 1;

/// The operator of a deployment.
pub(super) struct Operator {
    world: World,
    /// Who issues tokens, where they are needed.
    pub(super) issuer: Option<Rc<Issuer>>,
    edge: EdgeConfig,
    /// When the last deploy is over, in ms since the Unix epoch.
    deployed_ms: Cell<u64>,
}

impl Operator {
    /// Of that world, whose edge is configured so.
    pub(super) fn new(world: World, issuer: Option<Rc<Issuer>>, edge: EdgeConfig) -> Self {
        Self { world, issuer, edge, deployed_ms: Cell::default() }
    }

    /// Configures the keys with which the deployment begins.
    pub(super) fn open(&self) {
        let Some(issuer) = &self.issuer else { return };
        if issuer.tenancy() == Tenancy::Two {
            let origins = if issuer.lists_origins() { Tenancy::Two.listed_origins(IN_KV) } else { &[] };
            self.world.services().kv.prepare(Tenancy::Two.project(IN_KV), &issuer.record(origins));
        }
        self.world.start_with(self.keyed(issuer.ring()));
    }

    fn keyed(&self, ring: KeyRing) -> EdgeConfig {
        let lists_origins = self.issuer.as_ref().is_some_and(|issuer| issuer.lists_origins());
        let listed = || LISTED_ORIGINS.iter().map(|origin| Arc::from(*origin)).collect();
        // No cache stands in front that would have to look at the origin.
        let origins = match lists_origins {
            true => Origins::Listed { listed: listed(), front_varies: true },
            false => Origins::NotConfigured,
        };
        match self.issuer.as_ref().map(|issuer| issuer.tenancy()) {
            Some(Tenancy::Two) => {
                let registry = Some(Registry { root: None, default: Some(ring), front_varies: true });
                EdgeConfig {
                    access: Access::Projects,
                    registry,
                    projects: ProjectMode::Multi,
                    origins,
                    ..self.edge.clone()
                }
            }
            _ => EdgeConfig { access: Access::Keys(ring), origins, ..self.edge.clone() },
        }
    }

    /// Takes the next step of a rotation, which takes so long, if there is time for it before `calm_ms`. All isolates have
    /// taken the one before by then, and of a key that goes nobody uses a token any more.
    pub(super) async fn rotate(&self, calm_ms: u64, for_ms: u64) {
        let Some(issuer) = &self.issuer else { return };
        rt::sleep_ms((self.deployed_ms.get() + 1).saturating_sub(self.world.now_ms())).await;
        issuer.retire();
        let gives_up_ms = self.world.now_ms() + WAITS_MS;
        while issuer.is_retired_in_use() && self.world.now_ms() < gives_up_ms {
            rt::sleep_ms(LOOKS_MS).await;
        }
        let now_ms = self.world.now_ms();
        if now_ms + 1 < calm_ms {
            let for_ms = for_ms.min(calm_ms - now_ms - 1);
            self.world.configure(self.keyed(issuer.rotate()), for_ms);
            self.deployed_ms.set(now_ms + for_ms);
        }
    }
}
