//! A run of a crowd, from the creation of its streams to the figures.

use std::rc::Rc;

use tailrace_core::protocol::{Headers, Method, header};

use super::edge::Site;
use super::engine::Engine;
use super::figures::Figures;
use super::messages::{WAY, append};
use super::setting::Setting;
use super::urls::Urls;
use crate::kernel::random::{Random, Seeds};
use crate::kernel::rt;
use crate::tailrace::{Settings, World, WorldConfig};
use crate::world::{Faults, Request, RequestBody};

/// Bytes of a message of a stream's history.
const PAST_MESSAGE: usize = 1_000;
/// Messages of one append to a stream's history.
const PAST_BATCH: usize = 60;

/// Runs a crowd, and tells what came of it: the same for the same setting.
pub fn run(setting: Setting) -> Figures {
    let seeds = Seeds::of(setting.seed);
    let crowd = async move {
        let policy = setting.policy;
        let mut settings = Settings { policy, waits: setting.waits(), ..Settings::default() };
        settings.limits.page_bytes = setting.page_bytes.unwrap_or(settings.limits.page_bytes);
        let config = WorldConfig::of(settings);
        let edge = config.edge.clone();
        let knobs = setting.knobs;
        let surroundings = |faults: &mut Faults| {
            faults.network.client_link.latency = WAY;
            faults.network.object_link.latency = knobs.object.delay();
            faults.map.distance_permille = 1_000;
        };
        let faults = Faults::default().with(surroundings);
        let world = World::new(WorldConfig { faults, colos: setting.colos.clone(), isolates: 8, seeds, ..config });
        world.expect_events(u64::MAX);
        let mut tails = Vec::new();
        for stream in 0..=setting.streams {
            tails.push(create(&world, stream, setting.history_bytes).await);
        }
        world.set_faults(setting.troubles.with(surroundings));
        let lines = (0..setting.colos.len()).map(|colo| world.near(colo).line()).collect();
        // A stream of its own: what a crowd draws changes nothing in the world.
        let random = Random::new(Seeds::of(seeds.core).faults);
        let site = Rc::new(Site::new(knobs, random, lines, setting.bug));
        Engine::new(setting, site, world, edge, tails).run().await
    };
    rt::block_on(seeds.schedule, rt::apart(crowd))
}

/// Creates a stream, with so many bytes in it. Returns the offset at which it ends.
async fn create(world: &World, stream: usize, history_bytes: usize) -> String {
    let message = format!("\"{}\"", "x".repeat(PAST_MESSAGE));
    let batch = format!("[{}]", vec![message.as_str(); PAST_BATCH].join(","));
    let url = Urls::stream(stream);
    let ask = async |method| {
        let mut headers = Headers::default();
        headers.push(header::CONTENT_TYPE, "application/json");
        let request = Request { method, url: url.clone(), headers, body: RequestBody::Empty };
        world.request(request, 10_000).await.expect("a world without faults answers")
    };
    assert_eq!(ask(Method::Put).await.status, 201);
    for _ in 0..history_bytes.div_ceil(PAST_MESSAGE * PAST_BATCH) {
        append(world, &url, None, batch.clone()).await;
    }
    let head = ask(Method::Head).await;
    head.headers.get(header::STREAM_NEXT_OFFSET).unwrap_or_default().to_owned()
}
