//! Control events: where a reader of events stands.

use super::event_stream::{EventReader, Sent};
use crate::judge::history::{Delivery, History};

/// What a delivery means for its reader.
pub(super) struct Control {
    /// Where it goes on.
    pub(super) next_offset: Option<String>,
    /// What it echoes.
    pub(super) cursor: Option<u64>,
    /// Whether nothing more comes.
    pub(super) closed: bool,
    /// Whether there was data.
    pub(super) brings: bool,
}

/// Reads what the server wrote at once, writes it down, and answers the deliveries in it.
///
/// A data event and its control event leave in one write (SPEC, section 3), so no write ends between them.
pub(super) fn read_piece(
    history: &mut History,
    op: usize,
    events: &mut EventReader,
    bytes: &[u8],
    now_ms: u64,
) -> Vec<Control> {
    let now = history.moment(now_ms);
    let listening = history.listening(op);
    let mut controls = Vec::new();
    let mut defects = Vec::new();
    let mut pending: Option<String> = None;
    for sent in events.read(bytes) {
        match sent {
            Sent::Comment => listening.comments += 1,
            Sent::Event { kind, data } if kind == "data" => {
                if pending.replace(data).is_some() {
                    defects.push("a data event without its control event".to_owned());
                }
            }
            Sent::Event { kind, data } if kind == "control" => match control(&data) {
                Some(control) => {
                    let delivery = Delivery { at: now, data: pending.take(), ..control };
                    controls.push(Control {
                        next_offset: delivery.next_offset.clone(),
                        cursor: delivery.cursor,
                        closed: delivery.closed,
                        brings: delivery.data.is_some(),
                    });
                    listening.deliveries.push(delivery);
                }
                None => defects.push(format!("a control event that says nothing: {data:?}")),
            },
            Sent::Event { kind, .. } => defects.push(format!("an event of type {kind:?}")),
        }
    }
    if pending.is_some() || events.is_inside_event() {
        defects.push("a write that ends inside an event, or before its control event".to_owned());
    }
    listening.defects.extend(defects.into_iter().map(|defect| (now, defect)));
    controls
}

/// A control event's data (protocol, section 5.8).
fn control(data: &str) -> Option<Delivery> {
    let value: serde_json::Value = serde_json::from_str(data).ok()?;
    let flag = |name| value.get(name).and_then(serde_json::Value::as_bool).unwrap_or_default();
    let cursor = match value.get("streamCursor") {
        None => None,
        Some(cursor) => Some(cursor.as_str()?.parse().ok()?),
    };
    Some(Delivery {
        next_offset: Some(value.get("streamNextOffset")?.as_str()?.to_owned()),
        cursor,
        up_to_date: flag("upToDate"),
        closed: flag("streamClosed"),
        ..Delivery::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, deliveries: usize, defects: usize) -> History {
        let mut history = History::default();
        let controls = read_piece(&mut history, 0, &mut EventReader::default(), text.as_bytes(), 5);
        assert_eq!(controls.len(), deliveries, "{text:?}");
        let found = history.listening(0);
        assert_eq!(
            (found.deliveries.len(), found.defects.len()),
            (deliveries, defects),
            "{text:?}: {:?}",
            found.defects
        );
        history
    }

    #[test]
    fn a_control_event_says_where_its_reader_stands() {
        let text = "event:data\ndata:x\n\nevent:control\ndata:{\"streamNextOffset\":\"o\",\"streamCursor\":\"17\",\
                    \"upToDate\":true}\n\n";
        let mut history = check(text, 1, 0);
        let delivery = history.listening(0).deliveries[0].clone();
        assert_eq!((delivery.data.as_deref(), delivery.next_offset.as_deref()), (Some("x"), Some("o")));
        assert_eq!((delivery.cursor, delivery.up_to_date, delivery.closed), (Some(17), true, false));
    }

    #[test]
    fn what_no_client_should_have_to_read_is_written_down() {
        const CONTROL: &str = "event: control\ndata: {\"streamNextOffset\":\"o\"}\n\n";
        check(CONTROL, 1, 0);
        check(&format!(": alive\n\n{CONTROL}{CONTROL}"), 2, 0);
        check("event: data\ndata: x\n\n", 0, 1);
        check(&format!("event: data\ndata: x\n\nevent: data\ndata: y\n\n{CONTROL}"), 1, 1);
        check("event: control\ndata: {}\n\n", 0, 1);
        check("event: control\ndata: {\"streamNextOffset\":\"o\",\"streamCursor\":\"x\"}\n\n", 0, 1);
        check("data: x\n\n", 0, 1);
        check(&format!("{CONTROL}event: da"), 1, 1);
    }
}
