//! The marks of core.

crate::marks! {
    /// A producer's retry was answered as a duplicate.
    APPEND_DEDUPLICATED = "append_deduplicated", required;
    /// An append was refused because the hot log is full: no more bytes may wait for R2.
    APPEND_REFUSED_STORAGE_FULL = "append_refused_storage_full", required;
    /// A new producer took the place of an idle one.
    IDLE_PRODUCER_GAVE_WAY = "idle_producer_gave_way", required;
    /// A new producer was refused because the stream kept as many as it may, none of them idle.
    APPEND_REFUSED_TOO_MANY_PRODUCERS = "append_refused_too_many_producers", required;
    /// The database had too little room left for an append.
    DATABASE_TOO_FULL_FOR_APPEND = "database_too_full_for_append", required;
    /// An append deleted rows that are in R2, because there was too little room for it.
    APPEND_MADE_ROOM = "append_made_room", required;
    /// A rotation deleted rows, because the database had no room for the record of its segment.
    ROTATION_MADE_ROOM = "rotation_made_room", required;
    /// An append took several rows.
    APPEND_SPANNED_ROWS = "append_spanned_rows", required;
    /// An append was refused because its producer's epoch is an earlier one.
    STALE_EPOCH_REFUSED = "stale_epoch_refused", required;
    /// A page of a read ended inside an append.
    PAGE_ENDED_INSIDE_APPEND = "page_ended_inside_append", required;
    /// A stream had expired, and its alarm had not gone off yet.
    EXPIRED_BEFORE_ITS_ALARM = "expired_before_its_alarm", required;
    /// A stream lived on after its sliding TTL because a reader was connected.
    STAYED_FOR_ITS_READERS = "stayed_for_its_readers", required;
    /// It did because a reader that was connected had its page read from R2 meanwhile.
    STAYED_FOR_A_READ_FROM_R2 = "stayed_for_a_read_from_r2", optional;
    /// The alarm of a stream's expiry found that the stream had been used meanwhile.
    TOUCHED_AFTER_ITS_ALARM_WAS_SET = "touched_after_its_alarm_was_set", required;
    /// An object's alarm handler ran.
    ALARM_HANDLED = "alarm_handled", optional;
    /// An alarm came too early twice for the same duty, and was set for later.
    ALARM_OF_A_CLOCK_AHEAD = "alarm_of_a_clock_ahead", required;
    /// Storage of an earlier version was migrated to this one.
    SCHEMA_MIGRATED = "schema_migrated", optional;
    /// An object found an alarm that the platform had given up, and set it again.
    OVERDUE_ALARM_SET_AGAIN = "overdue_alarm_set_again", required;
    /// A duty was begun while another one was under way.
    DUTY_BEGUN_BESIDE_ANOTHER = "duty_begun_beside_another", required;
    /// A duty failed by itself, and not by R2: it backed off, and the others went on.
    DUTY_FAILED = "duty_failed", optional;
    /// The encoding of a segment went on in another turn.
    SEGMENT_ENCODED_IN_STEPS = "segment_encoded_in_steps", required;
    /// A segment went to R2, and its row says so.
    SEGMENT_ROTATED = "segment_rotated", required;
    /// Nine tenths of the segments of a URL are used up, and the operator was told.
    FEW_SEGMENTS_LEFT = "few_segments_left", optional;
    /// The put of a segment failed, or its outcome is unknown.
    ROTATION_FAILED = "rotation_failed", required;
    /// A segment went to R2 after attempts that had failed.
    ROTATION_SUCCEEDED_AFTER_FAILURES = "rotation_succeeded_after_failures", required;
    /// When a segment was stored, the stream had changed so that it no longer needed it.
    ROTATION_OVERTAKEN = "rotation_overtaken", required;
    /// The rows of a segment were dropped with their table.
    LOG_TABLE_DROPPED = "log_table_dropped", required;
    /// A segment went to R2, and its rows stay for a while: their table holds those of others that are not yet there.
    LOG_TABLE_SHARED = "log_table_shared", required;
    /// A sweep found objects in R2 that no row names.
    ORPHAN_FOUND = "orphan_found", required;
    /// Nothing of a removed stream is left in R2.
    REMOVED_STREAM_SWEPT = "removed_stream_swept", required;
    /// A deletion in R2 failed, or its outcome is unknown.
    SWEEP_FAILED = "sweep_failed", required;
    /// A page was read from R2.
    COLD_PAGE_FETCHED = "cold_page_fetched", required;
    /// A page that began inside a segment was read from R2.
    COLD_PAGE_INSIDE_SEGMENT = "cold_page_inside_segment", required;
    /// A read of a page from R2 shared the fetch of another that was under way.
    COLD_PAGE_SHARED = "cold_page_shared", required;
    /// A page had come from R2, and its stream had been replaced meanwhile.
    COLD_PAGE_OF_ANOTHER_STREAM_DROPPED = "cold_page_of_another_stream_dropped", required;
    /// The index of a segment in R2 was in memory.
    COLD_INDEX_KNOWN = "cold_index_known", required;
    /// A read of R2 failed and was tried again.
    COLD_READ_RETRIED = "cold_read_retried", required;
    /// A read of R2 failed for the last time.
    COLD_READ_FAILED = "cold_read_failed", required;
    /// The text of a page was too long for one answer, and a shorter page was answered.
    EVENT_OF_A_SHORT_PAGE = "event_of_a_short_page", required;
    /// A connection of events wrote a large event in pieces.
    EVENT_IN_PIECES = "event_in_pieces", required;
    /// An event ended before a code point that was not complete.
    EVENT_LEFT_A_CODE_POINT = "event_left_a_code_point", required;
    /// An event waited for the rest of its only code point.
    EVENT_JOINED_A_CODE_POINT = "event_joined_a_code_point", required;
    /// An event left out a LF whose CR its reader had had before.
    EVENT_LEFT_A_LINE_FEED = "event_left_a_line_feed", required;
    /// Only R2 could tell whether a LF follows a CR.
    TEXT_LOOKED_BACK_IN_R2 = "text_looked_back_in_r2", required;
    /// What was appended is half a code point, and waiting readers were told nothing of it.
    HALF_A_CODE_POINT_HELD_BACK = "half_a_code_point_held_back", optional;
    /// A live reader began to wait inside of a code point that is not complete.
    LIVE_READER_INSIDE_CODE_POINT = "live_reader_inside_code_point", required;
    /// A live reader had read all there was, and began to wait.
    LIVE_READER_JOINED = "live_reader_joined", optional;
    /// What was appended was too large for sockets: waiting readers were told to read it.
    LIVE_PULL_PUSHED = "live_pull_pushed", required;
    /// The copies for waiting readers were more than may be pushed within a second: they were told to read them.
    LIVE_PUSH_BUDGET_SPENT = "live_push_budget_spent", required;
    /// An edge was told to read what was appended, and waited for a moment of its own.
    LIVE_PULL_SPREAD = "live_pull_spread", required;
    /// Waiting readers were told of the close.
    LIVE_CLOSE_PUSHED = "live_close_pushed", required;
    /// Waiting readers were told that the stream is gone.
    LIVE_REMOVAL_PUSHED = "live_removal_pushed", required;
    /// The object closed a socket that was older than any wait can be.
    LIVE_SWEPT = "live_swept", required;
    /// An edge waited on a socket.
    LIVE_WAITED = "live_waited", required;
    /// A connection of events wrote a page that it had asked for.
    LIVE_PAGE_PULLED = "live_page_pulled", required;
    /// An edge was told to read what was appended, and asked again.
    LIVE_PULLED_AGAIN = "live_pulled_again", required;
    /// A socket was closed while an edge waited on it.
    LIVE_SOCKET_LOST = "live_socket_lost", required;
    /// Nothing came for a long-poll until its time-out.
    LIVE_TIMED_OUT = "live_timed_out", required;
    /// A browser that goes on by itself was told to come again, in place of a failure.
    LIVE_FAILURE_HIDDEN = "live_failure_hidden", required;
    /// A client did something more often than the deployment allows.
    RATE_EXCEEDED = "rate_exceeded", required;
    /// A limit of how often clients may do something could not be asked.
    RATE_UNKNOWN = "rate_unknown", required;
    /// A connection of events wrote a comment after a silence.
    LIVE_KEEP_ALIVE = "live_keep_alive", required;
    /// A connection of events noticed that its client was gone.
    LIVE_CLIENT_GONE = "live_client_gone", required;
    /// More bytes waited for a client than may: the edge dropped its socket to the object.
    LIVE_OVERFLOWED = "live_overflowed", required;
    /// A connection of events was cut, because its client left too much of what it was sent.
    LIVE_SLOW_CLIENT_CUT = "live_slow_client_cut", required;
    /// There was no room for the body of a request, which was told to come again.
    BODY_FOUND_NO_ROOM = "body_found_no_room", required;
    /// There was none for the rest of a body whose length was not declared.
    BODY_FOUND_NO_ROOM_HALF_WAY = "body_found_no_room_half_way", optional;
    /// A request that was served anew took the outcome of its earlier call.
    EARLIER_CALL_TAKEN = "earlier_call_taken", required;
    /// A live read had called its object when its instance was lost, and was answered with a failure.
    LIVE_READ_LOST_ITS_INSTANCE = "live_read_lost_its_instance", required;
    /// A live read came with the last cursor that is accepted, and waited until the next one is.
    CURSOR_HELD = "cursor_held", required;
    /// A reader ahead of the clock was told the cursor of another one that is further ahead.
    CURSORS_AHEAD_JOINED = "cursors_ahead_joined", required;
    /// A reader of events ahead of the clock, which had waited while its object slept, was told to ask again.
    LIVE_AHEAD_ASKED_AGAIN = "live_ahead_asked_again", required;
    /// A connection with events ended because its token had expired.
    EVENTS_ENDED_WITH_TOKEN = "events_ended_with_token", required;
    /// A page of a connection with events came when the token had expired, and was not passed on.
    LIVE_PAGE_TOO_LATE = "live_page_too_late", required;
    /// A long-poll for which nothing had come ended because its token had expired.
    LONG_POLL_ENDED_WITH_TOKEN = "long_poll_ended_with_token", required;
    /// A long-poll shared the flight of another.
    LIVE_FLIGHT_SHARED = "live_flight_shared", required;
    /// A long-poll gave up the flight that it had joined, because it did not land in time.
    LIVE_FLIGHT_GIVEN_UP = "live_flight_given_up", required;
    /// A long-poll asked the object by itself, because the flight that it had joined had started a sliding TTL again too
    /// early for it.
    LIVE_FLIGHT_TOUCHED_TOO_EARLY = "live_flight_touched_too_early", required;
    /// A long-poll did not join the flight of an identical one, because that had begun too long ago.
    LIVE_FLIGHT_TOO_OLD = "live_flight_too_old", required;
    /// A page broke off on its way to a connection of events, which asked for it again.
    LIVE_PAGE_BROKE_OFF = "live_page_broke_off", required;
    /// The flight that a long-poll had joined landed with a failure or a refusal, and the long-poll asked once more.
    LIVE_FLIGHT_RETRIED = "live_flight_retried", required;
    /// A gateway forwarded a read to the inner entrypoint.
    READ_FORWARDED = "read_forwarded", required;
    /// The client had already what the inner entrypoint answered.
    FORWARDED_READ_UNCHANGED = "forwarded_read_unchanged", optional;
    /// The cache of a datacenter had the answer to a read.
    CACHE_HIT = "cache_hit", required;
    /// It had the answer, and the client had it, too.
    CACHE_HIT_UNCHANGED = "cache_hit_unchanged", required;
    /// It had an answer of a stream that is not public, and the client had shown no grant.
    CACHE_HAD_A_PRIVATE_ANSWER = "cache_had_a_private_answer", required;
    /// It had an answer that was too old.
    CACHE_HAD_AN_OLD_ANSWER = "cache_had_an_old_answer", required;
    /// The answer to a read went into the cache of a datacenter.
    CACHE_FILLED = "cache_filled", required;
    /// A client wanted no stored answer.
    CACHE_BYPASSED = "cache_bypassed", required;
    /// A long-poll found that another isolate makes its answer.
    MARKER_FOUND = "marker_found", optional;
    /// A long-poll left a marker for others.
    MARKER_LEFT = "marker_left", optional;
    /// A long-poll asked the object, because the answer that another isolate was making did not come.
    MARKER_WAITED_IN_VAIN = "marker_waited_in_vain", optional;
    /// A long-poll that was answered went on for others.
    BRIDGE_WENT_ON = "bridge_went_on", optional;
    /// A long-poll was told later than others, on purpose.
    LIVE_STAGGERED = "live_staggered", optional;
    /// A plain read was answered by the flight of another.
    PAGE_FLIGHT_SHARED = "page_flight_shared", required;
    /// The flight that a plain read had joined landed with nothing for it.
    PAGE_FLIGHT_OF_NO_USE = "page_flight_of_no_use", required;
    /// A plain read gave up the flight that it had joined, because it did not land in time.
    PAGE_FLIGHT_GIVEN_UP = "page_flight_given_up", required;
    /// A put of a project's record has failed, or its end is unknown.
    RECORD_NOT_PUBLISHED = "record_not_published", optional;
    /// A project's record is to be published once more, since an earlier put may still be applied.
    RECORD_TO_BE_PUBLISHED_AGAIN = "record_to_be_published_again", optional;
    /// What KV had of a project was imported.
    RECORD_IMPORTED = "record_imported", optional;
    /// KV told nothing of a project, or what was before, and the edge went by what it knew.
    PROJECT_READ_IN_VAIN = "project_read_in_vain", optional;
}
