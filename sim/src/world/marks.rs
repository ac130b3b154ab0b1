//! The marks of the platform.

tailrace_core::marks! {
    /// The output gate held an answer back.
    GATE_HELD_ANSWER = "gate_held_answer", required;
    /// A crash lost a write that was not yet durable.
    CRASH_LOST_UNCONFIRMED_WRITE = "crash_lost_unconfirmed_write", required;
    /// A crash kept a write whose durability the object never learned of.
    CRASH_KEPT_UNCONFIRMED_WRITE = "crash_kept_unconfirmed_write", required;
    /// An object lost its memory with the instance of core that it shared with requests at the edge.
    OBJECT_LOST_ITS_CORE = "object_lost_its_core", required;
    /// A deploy replaced the program while it ran.
    DEPLOYED = "deployed", required;
    /// A deploy replaced the configuration of the edge.
    CONFIGURED_ANEW = "configured_anew", required;
    /// An isolate called an object of another release.
    OTHER_RELEASE_CALLED = "other_release_called", required;
    /// An object started again on a machine whose clock shows an earlier time than the one before.
    CLOCK_STEPPED_BACK = "clock_stepped_back", required;
    /// An object was called from another datacenter than its own.
    OTHER_COLO_CALLED = "other_colo_called", required;
    /// An object was placed in another datacenter than the one from which it was first called.
    OBJECT_PLACED_ELSEWHERE = "object_placed_elsewhere", required;
    /// The host of a datacenter failed, with all that ran on it.
    HOST_FAILED = "host_failed", required;
    /// A message was lost because a datacenter was cut off from the others.
    LOST_BETWEEN_COLOS = "lost_between_colos", required;
    /// A socket broke because a datacenter was cut off from the others.
    SOCKET_BROKEN_BETWEEN_COLOS = "socket_broken_between_colos", required;
    /// A statement failed.
    STATEMENT_FAILED = "statement_failed", required;
    /// A statement failed because the database of its object was full, or was said to be.
    DATABASE_FULL = "database_full", required;
    /// An answer of a superseded instance left it.
    SUPERSEDED_INSTANCE_ANSWERED = "superseded_instance_answered", required;
    /// A superseded instance was reset because its storage access failed.
    SUPERSEDED_INSTANCE_RESET = "superseded_instance_reset", required;
    /// A hibernated object was woken by an event.
    HIBERNATED_AND_RESUMED = "hibernated_and_resumed", required;
    /// An evicted object was started again by an event.
    EVICTED_AND_RESTARTED = "evicted_and_restarted", required;
    /// A crashed object was started again by an event.
    CRASHED_AND_RESTARTED = "crashed_and_restarted", required;
    /// An alarm went off.
    ALARM_FIRED = "alarm_fired", required;
    /// An alarm started an object that was not running.
    ALARM_STARTED_OBJECT = "alarm_started_object", required;
    /// An alarm went off again because its handler failed or was cut off.
    ALARM_RETRIED = "alarm_retried", required;
    /// An alarm went off again although its handler had succeeded.
    ALARM_DUPLICATED = "alarm_duplicated", required;
    /// An alarm went off too early.
    ALARM_EARLY = "alarm_early", required;
    /// The alarm service rejected a setting, and the object was reset.
    ALARM_REJECTED = "alarm_rejected", required;
    /// An alarm was given up after the platform's last attempt.
    ALARM_ABANDONED = "alarm_abandoned", required;
    /// A request had an isolate of its own while others served other requests.
    ISOLATE_OF_ITS_OWN = "isolate_of_its_own", required;
    /// An isolate that served a request served another one, too.
    BUSY_ISOLATE_SHARED = "busy_isolate_shared", required;
    /// An edge isolate had died of idleness when the next request came.
    ISOLATE_DIED_IDLE = "isolate_died_idle", required;
    /// An edge isolate restarted while it served a request.
    ISOLATE_RESTARTED_BUSY = "isolate_restarted_busy", required;
    /// A panic lost the instance of an edge isolate.
    INSTANCE_LOST = "instance_lost", required;
    /// A request that had called an object was served anew in the next instance.
    SERVED_ANEW = "served_anew", required;
    /// A request was served anew that had called no object: its body was on its way, or it had joined a flight.
    SERVED_ANEW_BEFORE_ITS_CALL = "served_anew_before_its_call", required;
    /// The platform ended a request without telling it.
    REQUEST_VANISHED = "request_vanished", required;
    /// An object's reply broke off after its head.
    REPLY_BROKE_OFF = "reply_broke_off", required;
    /// Those who had joined a flight were not told that it had landed.
    FLIGHT_LOST = "flight_lost", required;
    /// A request's handle was refused to the task of another request.
    OTHER_REQUEST_REFUSED = "other_request_refused", optional;
    /// A request was lost on its way.
    REQUEST_LOST = "request_lost", required;
    /// A response was lost on its way, though the request was carried out.
    RESPONSE_LOST = "response_lost", required;
    /// A message took much longer than others.
    MESSAGE_SLOW = "message_slow", required;
    /// A client gave its request up before an answer could come.
    CLIENT_LEFT = "client_left", required;
    /// A call of an object never came to an end.
    CALL_STUCK = "call_stuck", required;
    /// The platform refused a call because the object had too much to do.
    OBJECT_OVERLOADED = "object_overloaded", required;
    /// R2 stored an object and told its caller that it had failed.
    PUT_FAILED_THOUGH_STORED = "put_failed_though_stored", required;
    /// R2 stored an object long after it had told its caller that it had failed.
    PUT_LANDED_LATE = "put_landed_late", required;
    /// R2 stored an object whose caller was gone.
    PUT_OUTLIVED_ITS_CALLER = "put_outlived_its_caller", required;
    /// Two instances of an object, one superseded, were putting at once.
    TWO_INSTANCES_PUT_AT_ONCE = "two_instances_put_at_once", required;
    /// R2 deleted objects and told its caller that it had failed.
    DELETION_FAILED_THOUGH_DONE = "deletion_failed_though_done", required;
    /// A listing held fewer objects than were asked for, though more followed.
    LISTING_CAME_SHORT = "listing_came_short", required;
    /// A call of R2 failed because of an outage.
    BUCKET_WAS_DOWN = "bucket_was_down", required;
    /// A call of R2 never came to an end.
    BUCKET_CALL_STUCK = "bucket_call_stuck", required;
    /// An object gave a call of a service up, which then went on and kept it in memory.
    CALL_OUTLIVED_ITS_CALLER = "call_outlived_its_caller", required;
    /// R2 gave other bytes than it had stored.
    BYTES_DAMAGED = "bytes_damaged", required;
    /// A gateway asked the inner entrypoint.
    INNER_ENTRYPOINT_ASKED = "inner_entrypoint_asked", required;
    /// The cache before the inner entrypoint had the answer, and was not too old to serve it.
    INNER_ENTRYPOINT_SPARED = "inner_entrypoint_spared", required;
    /// It had no answer: its isolate restarted, or the platform ended it.
    INNER_ENTRYPOINT_FAILED = "inner_entrypoint_failed", optional;
    /// An answer was to be stored in a cache, and was lost.
    CACHE_PUT_LOST = "cache_put_lost", required;
    /// An answer was evicted from a cache.
    CACHE_EVICTED = "cache_evicted", required;
    /// An answer was in a cache, and could not be seen yet.
    CACHE_NOT_VISIBLE_YET = "cache_not_visible_yet", required;
    /// The time of an answer in a cache was up.
    CACHE_ENTRY_ENDED = "cache_entry_ended", required;
    /// A look into a cache failed.
    CACHE_LOOK_UP_FAILED = "cache_look_up_failed", required;
    /// A look into a cache never came to an end.
    CACHE_LOOK_UP_STUCK = "cache_look_up_stuck", required;
    /// There was no cache for the host name.
    CACHE_WITHOUT_ZONE = "cache_without_zone", required;
    /// An answer was stored in a cache though the request that had sent it there had ended.
    CACHE_PUT_OUTLIVED_ITS_REQUEST = "cache_put_outlived_its_request", required;
    /// A cache in front served what it had kept.
    FRONT_HIT = "front_hit", required;
    /// A visitor of a cache in front was served what had been fetched for another one.
    FRONT_JOINED = "front_joined", required;
    /// A cache in front served what was stale.
    FRONT_STALE_SERVED = "front_stale_served", required;
    /// A cache in front served what it had kept after a 304.
    FRONT_REVALIDATED = "front_revalidated", required;
    /// A visitor of a cache in front had waited too long for another's fetch.
    FRONT_LOCK_WAIT_OVER = "front_lock_wait_over", optional;
    /// A visitor of a cache in front had no answer, since its fetch was lost.
    FRONT_FETCH_LOST = "front_fetch_lost", optional;
    /// A request passed a cache in front that remembered its key as uncacheable.
    FRONT_PREDICTED_UNCACHEABLE = "front_predicted_uncacheable", required;
    /// A visitor left a cache in front before it had its answer.
    FRONT_VISITOR_LEFT = "front_visitor_left", required;
    /// The name of the origin did not resolve for a cache in front.
    FRONT_ORIGIN_UNRESOLVED = "front_origin_unresolved", optional;
    /// The upper tier of a cache in front had an answer.
    FRONT_TIER_HIT = "front_tier_hit", required;
    /// A visitor of a cache in front read a body that was shared while it came.
    FRONT_STREAMED = "front_streamed", required;
    /// The output gate held a message on a socket back.
    GATE_HELD_MESSAGE = "gate_held_message", required;
    /// An edge closed its end of a socket, and the object was told.
    SOCKET_CLOSED_BY_EDGE = "socket_closed_by_edge", required;
    /// One end of a socket went away, and the other was never told.
    SOCKET_HALF_DEAD = "socket_half_dead", required;
    /// A socket was cut because its object was reset.
    SOCKET_CUT = "socket_cut", required;
    /// An object hibernated before it was idle for 10 s.
    HIBERNATED_EARLY = "hibernated_early", required;
    /// An object hibernated after it was idle for more than 10 s.
    HIBERNATED_LATE = "hibernated_late", required;
    /// A statement handed over as many bytes as it was asked for, and its caller wanted more.
    STATEMENT_IN_STEPS = "statement_in_steps", required;
    /// An object with sockets hibernated.
    HIBERNATED_WITH_SOCKETS = "hibernated_with_sockets", required;
    /// A hibernated object with sockets was woken, and sent to them.
    WOKEN_AND_SENT = "woken_and_sent", required;
    /// What was written at once on a streamed answer arrived in several pieces.
    ANSWER_IN_PIECES = "answer_in_pieces", required;
    /// The connection of a streamed answer broke.
    ANSWER_CUT = "answer_cut", required;
    /// The connection of a streamed answer died without anybody noticing.
    ANSWER_LOST = "answer_lost", required;
    /// An edge isolate restarted while it held streamed answers.
    ISOLATE_RESTARTED_STREAMING = "isolate_restarted_streaming", required;
    /// KV gave what was not the newest any more.
    KV_GAVE_STALE = "kv_gave_stale", optional;
    /// KV said that a key was absent, because it had been when the location had looked.
    KV_ABSENCE_KEPT = "kv_absence_kept", optional;
    /// KV refused a put because it came too soon after another one of its key.
    KV_PUT_REFUSED = "kv_put_refused", optional;
    /// KV applied a put and told its caller that it had failed.
    KV_PUT_FAILED_THOUGH_STORED = "kv_put_failed_though_stored", optional;
    /// KV applied a put long after it had told its caller that it had failed.
    KV_PUT_LANDED_LATE = "kv_put_landed_late", optional;
    /// KV applied a put after one of the same key that was sent later.
    KV_PUT_OVERTAKEN = "kv_put_overtaken", optional;
    /// A call of KV failed because of an outage.
    KV_WAS_DOWN = "kv_was_down", optional;
    /// A call of KV took longer than its caller waited.
    KV_CALL_GIVEN_UP = "kv_call_given_up", optional;
}
