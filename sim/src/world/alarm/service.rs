//! The platform's alarm service: one alarm an object, at least once, retried, sometimes early, late or twice.

use std::cell::Cell;
use std::rc::Rc;

use tailrace_core::runtime::AlarmFailure;

use crate::kernel::reply::Reply;
use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::storage::journal::Journal;

/// The first wait before a failed alarm is tried again; each further one is twice as long (Cloudflare, Alarms).
const RETRY_BASE_MS: u64 = 2_000;
/// The longest wait between two attempts.
const RETRY_MOST_MS: u64 = RETRY_BASE_MS << 6;
/// An alarm that goes off twice does so the second time within this many ms.
const DUPLICATE_WITHIN_MS: u64 = 1_000;

/// What the service knows of one object's alarm.
#[derive(Default)]
pub(crate) struct Alarm {
    /// The version of the setting that the service waits for.
    armed: Cell<u64>,
    /// Whether the object's handler is running.
    ringing: Cell<bool>,
    /// The version that came due while the handler was running.
    due: Cell<Option<u64>>,
}

/// What the alarm service needs of an object.
pub(crate) trait Alarmed: 'static {
    /// Its name in the trace.
    fn name(&self) -> &str;

    fn environment(&self) -> &Rc<Environment>;

    /// Where its alarm is set.
    fn journal(&self) -> &Journal;

    /// The service's record of its alarm.
    fn alarm_service(&self) -> &Alarm;

    /// The alarm of that version goes off: runs the handler.
    fn call_alarm(self: &Rc<Self>, version: u64) -> Reply<Result<(), AlarmFailure>>;
}

/// Waits for the alarm's durable setting, unless the service waits for it already.
pub(crate) fn arm<O: Alarmed>(object: &Rc<O>) {
    let setting = object.journal().durable_alarm();
    if setting.version == object.alarm_service().armed.replace(setting.version) {
        return;
    }
    let Some(at_ms) = setting.at_ms else { return };
    let environment = object.environment().clone();
    let faults = environment.faults();
    let due_ms = if environment.chance(faults.alarm.early_permille) {
        at_ms.saturating_sub(environment.draw_ms(faults.alarm.early))
    } else {
        at_ms + environment.draw_ms(faults.alarm.late)
    };
    let object = object.clone();
    environment.node.spawn(async move {
        let environment = object.environment();
        rt::sleep_ms(due_ms.saturating_sub(environment.now_ms())).await;
        if !is_armed(&object, setting.version) {
            return;
        }
        if environment.now_ms() < at_ms {
            environment.mark(marks::ALARM_EARLY);
        } else {
            environment.count_asked_alarm(object.name());
        }
        ring(object.clone(), setting.version).await;
    });
}

fn is_armed<O: Alarmed>(object: &Rc<O>, version: u64) -> bool {
    object.alarm_service().armed.get() == version && object.journal().durable_alarm().version == version
}

/// Calls the handler until it succeeds, the alarm is given up, or another setting has replaced this one.
async fn ring<O: Alarmed>(object: Rc<O>, version: u64) {
    let environment = object.environment();
    let mut failures = 0;
    let mut wait_ms = RETRY_BASE_MS;
    loop {
        let Some(outcome) = call_alone(&object, version).await else { return };
        match outcome {
            Some(Ok(())) => break,
            Some(Err(failure)) => {
                let what = What::AlarmFailed { message: &failure.message };
                environment.note(Lane::Object(object.name()), what, None);
                failures += 1;
            }
            None => {
                environment.note(Lane::Object(object.name()), What::AlarmCutOff, None);
                failures += u32::from(environment.faults().alarm.cut_off_fails);
            }
        }
        let name = object.name().into();
        environment.harm_object(Harm::AlarmFailed, &name);
        if failures > environment.faults().alarm.retry_limit {
            environment.mark(marks::ALARM_ABANDONED);
            environment.harm_object(Harm::AlarmAbandoned, &name);
            if is_armed(&object, version) {
                object.journal().lose_alarm();
            }
            return;
        }
        rt::sleep_ms(wait_ms).await;
        wait_ms = (wait_ms * 2).min(RETRY_MOST_MS);
        if !is_armed(&object, version) {
            return;
        }
        environment.mark(marks::ALARM_RETRIED);
    }
    if environment.chance(environment.faults().alarm.duplicate_permille) {
        rt::sleep_ms(environment.random.between(1, DUPLICATE_WITHIN_MS)).await;
        environment.mark(marks::ALARM_DUPLICATED);
        // Its setting is gone, so that its success removes no alarm; its failure has no consequence.
        call_alone(&object, version).await;
    }
}

/// Calls the handler. If it is running already, this version goes off after that, and this returns `None`. An inner
/// `None` is a handler that was cut off.
async fn call_alone<O: Alarmed>(object: &Rc<O>, version: u64) -> Option<Option<Result<(), AlarmFailure>>> {
    let service = object.alarm_service();
    if service.ringing.replace(true) {
        // An alarm that goes off twice may do so late: that takes no place from a newer one.
        service.due.set(service.due.get().max(Some(version)));
        return None;
    }
    object.environment().mark(marks::ALARM_FIRED);
    let outcome = object.call_alarm(version).await;
    service.ringing.set(false);
    if let Some(due) = service.due.take().filter(|due| is_armed(object, *due)) {
        object.environment().node.spawn(ring(object.clone(), due));
    }
    Some(outcome)
}
