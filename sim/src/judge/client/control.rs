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
/// A data event and its control event leave in one write (SPEC, section 3), so no write ends between them, and within
/// an event only one that is as large as a write may be; unless the client's connection broke there.
pub(super) fn read_piece(
    history: &mut History,
    op: usize,
    events: &mut EventReader,
    bytes: &[u8],
    is_cut: bool,
    now_ms: u64,
) -> Vec<Control> {
    let now = history.moment(now_ms);
    let is_full = bytes.len() >= history.conditions.whole_event_bytes;
    let listening = history.listening(op);
    let mut controls = Vec::new();
    let mut defects = Vec::new();
    let mut pending: Option<(String, Option<String>)> = None;
    for sent in events.read(bytes) {
        if !matches!(sent, Sent::Retry(_)) && events.retry_ms().is_none() {
            defects.push("something before the time after which to come back".to_owned());
        }
        match sent {
            Sent::Comment => listening.comments += 1,
            Sent::Retry(200..=1_000) => {}
            Sent::Retry(ms) => defects.push(format!("to come back after {ms} ms")),
            Sent::Event { kind, data, id } if kind == "data" => {
                if id.is_none() {
                    defects.push("a data event without an id".to_owned());
                }
                if pending.replace((data, id)).is_some() {
                    defects.push("a data event without its control event".to_owned());
                }
            }
            Sent::Event { kind, data, id } if kind == "control" => match control(&data) {
                Some(control) => {
                    // The id of a delivery is that of its first event, so that a cut between the two loses nothing.
                    let (data, of_data) = pending.take().unzip();
                    if of_data.clone().unwrap_or(id.clone()) != control.next_offset || of_data.is_some() && id.is_some()
                    {
                        defects.push(format!("an id {of_data:?} {id:?} that is not where the event ends"));
                    }
                    let delivery = Delivery { at: now, data, ..control };
                    controls.push(Control::of(&delivery));
                    listening.deliveries.push(delivery);
                }
                None => defects.push(format!("a control event that says nothing: {data:?}")),
            },
            Sent::Event { kind, .. } => defects.push(format!("an event of type {kind:?}")),
        }
    }
    match pending {
        Some((data, id)) if is_cut => {
            let (data, next_offset) = (Some(data), id);
            let delivery = Delivery { at: now, data, next_offset, is_cut_short: true, ..Delivery::default() };
            controls.push(Control::of(&delivery));
            listening.deliveries.push(delivery);
        }
        None if is_cut || !events.is_inside_event() => {}
        None if is_full => listening.pieces_ms.push(now_ms),
        _ => defects.push("a write that ends inside an event, or before its control event".to_owned()),
    }
    listening.defects.extend(defects.into_iter().map(|defect| (now, defect)));
    controls
}

impl Control {
    fn of(delivery: &Delivery) -> Self {
        Self {
            next_offset: delivery.next_offset.clone(),
            cursor: delivery.cursor,
            closed: delivery.closed,
            brings: delivery.data.is_some(),
        }
    }
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

    const RETRY: &str = "retry:200\n\n";
    const CONTROL: &str = "event: control\ndata: {\"streamNextOffset\":\"o\"}\n\n";
    const ALONE: &str = "event: control\ndata: {\"streamNextOffset\":\"o\"}\nid: o\n\n";

    fn read(text: &str, is_cut: bool, deliveries: usize, defects: usize) -> History {
        let mut history = History::default();
        history.conditions.whole_event_bytes = 300;
        let controls = read_piece(&mut history, 0, &mut EventReader::default(), text.as_bytes(), is_cut, 5);
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

    fn check(text: &str, deliveries: usize, defects: usize) -> History {
        read(&format!("{RETRY}{text}"), false, deliveries, defects)
    }

    #[test]
    fn a_control_event_says_where_its_reader_stands() {
        let text = "event:data\ndata:x\nid:o\n\nevent:control\ndata:{\"streamNextOffset\":\"o\",\
                    \"streamCursor\":\"17\",\"upToDate\":true}\n\n";
        let mut history = check(text, 1, 0);
        let delivery = history.listening(0).deliveries[0].clone();
        assert_eq!((delivery.data.as_deref(), delivery.next_offset.as_deref()), (Some("x"), Some("o")));
        assert_eq!((delivery.cursor, delivery.up_to_date, delivery.closed), (Some(17), true, false));
    }

    #[test]
    fn what_no_client_should_have_to_read_is_written_down() {
        const DATA: &str = "event: data\ndata: x\nid: o\n\n";
        check(ALONE, 1, 0);
        check(&format!(": alive\n\n{ALONE}{ALONE}"), 2, 0);
        check(DATA, 0, 1);
        check(&format!("{DATA}{DATA}{CONTROL}"), 1, 1);
        check("event: control\ndata: {}\n\n", 0, 1);
        check("event: control\ndata: {\"streamNextOffset\":\"o\",\"streamCursor\":\"x\"}\n\n", 0, 1);
        check("data: x\n\n", 0, 1);
        check(&format!("{ALONE}event: da"), 1, 1);
    }

    #[test]
    fn a_write_ends_within_an_event_only_if_it_is_as_large_as_a_write_may_be() {
        let begun = |bytes: usize| format!("event: data\ndata:{}", "x".repeat(bytes));
        check(&begun(200), 0, 1);
        check(&begun(300), 0, 0);
        check(&format!("{}\nid: o\n\n", begun(300)), 0, 1);
    }

    #[test]
    fn ids_and_the_time_to_come_back_are_what_a_browser_needs() {
        const DATA: &str = "event: data\ndata: x\nid: o\n\n";
        check(&format!("{DATA}{CONTROL}"), 1, 0);
        // An id that is missing, that is another place, or that is there twice.
        check(CONTROL, 1, 1);
        check("event: control\ndata: {\"streamNextOffset\":\"o\"}\nid: p\n\n", 1, 1);
        check(&format!("event: data\ndata: x\nid: p\n\n{CONTROL}"), 1, 1);
        check(&format!("event: data\ndata: x\n\n{ALONE}"), 1, 2);
        check(&format!("{DATA}{ALONE}"), 1, 1);
        read(ALONE, false, 1, 1);
        read(&format!("retry:1001\n\n{ALONE}"), false, 1, 1);
        read(&format!("retry:199\n\n{ALONE}"), false, 1, 1);
    }

    #[test]
    fn a_data_event_counts_though_its_control_event_is_cut_off() {
        let data = format!("{RETRY}event: data\ndata: x\nid: o\n\n");
        let mut history = read(&format!("{data}event: con"), true, 1, 0);
        let delivery = history.listening(0).deliveries[0].clone();
        assert_eq!((delivery.next_offset.as_deref(), delivery.is_cut_short), (Some("o"), true));
        read(&data[..data.len() - 1], true, 0, 0);
    }
}
