//! Objects of two classes: they share a world, and nothing else.

use super::*;
use crate::world::{Region, marks};

/// Two objects of one name, each of another class.
const SAME_NAME: [&str; 2] = ["a", "project a"];

#[test]
fn objects_of_two_classes_are_two_though_they_have_one_name() {
    run(1, Faults::default(), async |world, notes| {
        for (object, class) in SAME_NAME.into_iter().zip(["stream", "project"]) {
            assert_eq!(answer(&world, object, "class").await, class);
            assert_eq!(answer(&world, object, "count").await, "0", "{object} has storage of its own");
            assert_eq!(answer(&world, object, "append x").await, "1");
            assert_eq!(answer(&world, object, "requests").await, "4", "{object} has memory of its own");
        }
        let [of_stream, of_project] = [answer(&world, "a", "id").await, answer(&world, "project a", "id").await];
        assert_ne!(of_stream, of_project);
        assert_eq!([world.object_id("a"), world.object_id("project a")], [of_stream, of_project]);
        assert_eq!(world.objects(), SAME_NAME);
        let now_ms = world.now_ms();
        for (object, after_ms) in SAME_NAME.into_iter().zip([1_000, 2_000]) {
            answer(&world, object, &format!("alarm {}", now_ms + after_ms)).await;
        }
        let alarms = SAME_NAME.map(|object| world.stored(object).alarm_ms);
        assert_eq!(alarms, [Some(now_ms + 1_000), Some(now_ms + 2_000)]);
        rt::sleep_ms(5_000).await;
        assert_eq!(notes.alarms_ms.borrow().len(), 2);
    });
}

#[test]
fn what_happens_to_an_object_does_not_happen_to_its_namesake() {
    for (crashed, expected) in [("a", ["1", "3"]), ("project a", ["3", "1"])] {
        run(1, Faults::default(), async |world, _| {
            for object in SAME_NAME {
                answer(&world, object, "append x").await;
                answer(&world, object, "requests").await;
            }
            world.crash(crashed);
            for (object, expected) in SAME_NAME.into_iter().zip(expected) {
                assert_eq!(answer(&world, object, "requests").await, expected, "{object} after {crashed} has crashed");
            }
        });
    }
}

#[test]
fn objects_of_one_class_call_those_of_another() {
    run(1, Faults::default(), async |world, _| {
        assert_eq!(answer(&world, "a", "call project a").await, "called");
        assert_eq!(answer(&world, "project a", "call a").await, "called");
        for object in SAME_NAME {
            assert_eq!(
                answer(&world, object, "count").await,
                "3",
                "{object}: two rows of its own and one that it was sent"
            );
        }
    });
}

/// Each is placed where it was called first, and a socket that ends is its own object's.
#[test]
fn each_class_has_its_own_places_and_sockets() {
    let colos = |config: &mut WorldConfigOf<Probe>| config.colos = vec![Region::WesternEurope, Region::SouthAmerica];
    let faults = Faults::default().with(|faults| faults.map.distance_permille = 1_000);
    run_configured(1, faults, colos, async |world, notes| {
        let there = world.near(1);
        answer(&world, "a", "count").await;
        answer(&there, "project a", "connect").await;
        assert_eq!(world.marks().count(marks::OTHER_COLO_CALLED), 0);
        answer(&there, "a", "count").await;
        answer(&world, "project a", "count").await;
        assert_eq!(world.marks().count(marks::OTHER_COLO_CALLED), 2);
        assert_eq!(SAME_NAME.map(|object| world.sockets(object)), [0, 1]);
        notes.sockets.borrow_mut().clear();
        rt::sleep_ms(1_000).await;
        assert_eq!(SAME_NAME.map(|object| world.sockets(object)), [0, 0]);
    });
}
