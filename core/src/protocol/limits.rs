//! Every limit on what comes from outside, and on what the platform lets a row hold.

/// Largest body of an append or a creation, in bytes. Our choice: twice a segment, and far below the platform's
/// request limit of 100 MB.
pub const BODY_LIMIT: usize = 8 << 20;

/// Bytes of an upload beyond which its client is watched while it sends them. Our choice: what is smaller arrives at
/// once or not at all, and holds little.
pub const WATCHED_UPLOAD: usize = 64 << 10;

/// How long an upload that is watched may take, in ms. Our choice: 8 MiB over a bad connection.
pub const UPLOAD_MS: u64 = 5 * 60 * 1_000;

/// For how long the body of a request counts as held, in ms. Our choice: longer than an upload and a call take.
pub const HELD_BODY_MS: u64 = UPLOAD_MS + 60_000;

/// How many lost instances a request endures; at the next one it is answered with a failure. Our choice: more than a
/// burst of broken requests loses, and few enough that a request that is broken itself does little harm.
pub const LOSSES_ENDURED: u32 = 16;

/// Largest body of a log row, in bytes. Our choice: half the platform's 2 MB for a row, so that the other columns and
/// the engine's own overhead always fit.
pub const ROW_LIMIT: usize = 1 << 20;

/// Bytes after which a page of a read ends. Our choice; a page holds at least one message.
pub const PAGE_BYTES: usize = 1 << 20;

/// Rows of the log after which an append seals its segment. Our choice, by measurement (`cargo xtask bench catchup --logs
/// small --segment-rows 8192,1024,2048,32768`): with fewer, pages of small appends end early, and each segment costs a put
/// (2,048 rows are read half as fast, 1,024 at a quarter); with more, its index in R2 grows, which a read fetches as a
/// whole, and little is won (32,768 rows are read at most a tenth faster). Appends meanwhile take as long with each.
pub const SEGMENT_ROWS: u64 = 8_192;

/// The most rows that a deployment may give a segment. Our choice: a reader that begins in the middle of a segment
/// fetches its index, of 12 bytes a row, as a whole.
pub const ROWS_LIMIT: u64 = 1 << 16;

/// Bytes after which an append seals its segment. Our choice.
pub const SEGMENT_BYTES: u64 = 4 << 20;

/// Rows and bytes of a segment that are encoded for R2 in one turn. Our choice, by measurement: such a turn is no longer
/// than that of a read, and a segment takes some dozens of them.
pub const ENCODED_ROWS: u64 = 512;
/// See [`ENCODED_ROWS`]. The row that reaches this is the last one of its turn.
pub const ENCODED_BYTES: usize = 256 << 10;

/// What a row of the hot log takes in SQLite besides its bytes, its lengths and its texts: key, numbers, header, and its
/// share of the pages' own. Measured on SQLite by its count of pages (`core/tests/rules/size/room.rs`).
pub const LOG_ROW_BYTES: u64 = 48;

/// Bytes that the rows of a stream may take in the hot log while they wait for R2. Beyond that, appends are refused
/// until R2 accepts segments again. Our choice: a tenth of what the platform lets an object store. The database then
/// takes less than half of that: the rows of segments already in R2 stay until their table is dropped, as many again at
/// most, and a row that does not fill its pages takes up to twice what is counted.
pub const HOT_BYTES: u64 = 1 << 30;

/// Bytes that the platform lets the database of an object take (Cloudflare, Durable Objects limits: 10 GB).
pub const DATABASE_BYTES: u64 = 10_000_000_000;

/// Bytes of the database that no content takes: room for what frees the rest, which is a rotation with its duties and
/// the table of segments, and for a close. Our choice: eight pages, more than twice what was measured
/// (`core/tests/rules/size/room.rs`).
pub const RESERVE_BYTES: u64 = 32 << 10;

/// How many producers a stream keeps. Our choice: their rows take some 30 MB at most.
pub const PRODUCERS: u64 = 65_536;

/// How long a producer of a full stream has not appended, in ms, before its place may be taken. Our choice: whoever
/// sends a batch again that was not answered does so within a day.
pub const PRODUCER_IDLE_MS: u64 = 24 * 60 * 60 * 1_000;

/// How many producers a request looks at for one that is idle. Our choice: they take well below a ms.
pub const PRODUCERS_LOOKED_AT: u64 = 256;

/// How long a get or a listing of R2 may take, in ms. Our choice: a hundred times what they take. A reader waits for up
/// to three gets in a row.
pub const R2_READ_MS: u64 = 10_000;

/// How long a put or a deletion of R2 may take, in ms. Our choice: nobody waits for either, and a put of a segment is
/// long on a slow day.
pub const R2_CHANGE_MS: u64 = 60_000;

/// The longest time that a deployment may give a call of R2, in ms. Our choice: the last steps of an alarm's handler,
/// of two calls each, still end within the 15 minutes that the platform gives it (Cloudflare, Alarms).
pub const R2_LIMIT_MS: u64 = 5 * 60 * 1_000;

/// Longest stream path after percent-decoding, in bytes. Our choice; object names may hold it with its project.
pub const PATH_LIMIT: usize = 512;

/// Longest project id, in bytes. Our choice.
pub const PROJECT_LIMIT: usize = 64;

/// Longest token of a request, in bytes. Our choice: what it has to say takes some hundred.
pub const ACCESS_TOKEN_LIMIT: usize = 4_096;

/// How many keys verify tokens: those of a deployment while it changes them, and some for others who sign. Our choice:
/// a token that names none is compared with all.
pub const KEYS_LIMIT: usize = 8;

/// Longest id of a key, in bytes. Our choice.
pub const KEY_ID_LIMIT: usize = 32;

/// For how long an isolate goes by what KV has told it of a project, in ms. Our choice: a key that is removed verifies for so
/// much longer, and each isolate asks so often.
pub const PROJECT_FRESH_MS: u64 = 30_000;

/// For how long it goes by that there is no such project, in ms. Our choice.
pub const PROJECT_ABSENT_MS: u64 = 5_000;

/// For how long it goes by that at most while KV does not answer, in ms. Our choice.
pub const PROJECT_OLD_MS: u64 = 600_000;

/// How long KV may take for it, in ms. Our choice.
pub const PROJECT_READ_MS: u64 = 2_000;

/// How long after a failure KV is asked again, in ms. Our choice.
pub const PROJECT_RETRY_MS: u64 = 5_000;

/// How many projects an isolate knows. Our choice.
pub const PROJECTS_KNOWN: usize = 1_000;

/// How many origins are listed whose scripts may read answers. Our choice: each request that names its origin is compared
/// with them.
pub const ORIGINS_LIMIT: usize = 64;

/// Longest origin in that list, in bytes. Our choice: a host's name has 253 at most (RFC 1035, section 2.3.4).
pub const ORIGIN_LIMIT: usize = 300;

/// Shortest key, in bytes: as long as the hash (RFC 7518, section 3.2).
pub const KEY_BYTES_MIN: usize = 32;

/// Longest `Producer-Id`, `Stream-Seq` and content type, in bytes. Our choice: they are stored with rows.
pub const TOKEN_LIMIT: usize = 256;

/// Longest `Stream-Expires-At`, in bytes. Our choice: it is stored and told again, and an instant needs 35 at most.
pub const EXPIRES_AT_LIMIT: usize = 64;

/// Longest `If-None-Match` that is looked at, in bytes. Our choice; a longer one matches nothing.
pub const IF_NONE_MATCH_LIMIT: usize = 4_096;

/// Deepest nesting of a JSON message. Our choice: what common parsers accept by default.
pub const JSON_DEPTH_LIMIT: usize = 128;

/// Largest integer of the protocol (`Producer-Epoch`, `Producer-Seq`, cursors): 2^53 - 1, exact in JavaScript
/// (protocol, section 5.2.1).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// How far ahead of the edge's clock a cursor may be, in ms. Our choice: more than clocks ever differ, and readers that
/// are ahead meet those of the clock within a day.
pub const CURSOR_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;

/// Longest `Stream-TTL`, in seconds: a hundred years. Our choice: deadlines in ms stay far below 2^53.
pub const TTL_LIMIT_S: u64 = 100 * 366 * 24 * 60 * 60;

/// Bytes that may wait at the edge until the client of a live connection receives them. Our choice: one page. Further
/// data stays in the log, and is read from there once the client has received these bytes.
pub const CLIENT_BUFFER: usize = 1 << 20;

/// How often a connection that waits for its client looks whether it is to be given up, in ms. Our choice: a client that
/// is only slow has taken something by then, and whoever needs the room waits no longer than that.
pub const STALL_LOOK_MS: u64 = 500;

/// For how long a client may take what waits for it when its connection has come to its end, in ms. Our choice: about as
/// long as a connection lasts.
pub const TAKEN_WITHIN_MS: u64 = 60_000;

/// Bytes that may wait for a client that nobody looks after any more, since its answer is complete. Our choice: a last
/// control event.
pub const CLOSED_AT_ONCE: usize = 4 << 10;

/// Largest content that is pushed to waiting readers, in bytes. Our choice: each socket holds a copy until its edge has
/// received it, without back-pressure. Of larger content readers are only told; they read it from the log.
pub const PUSH_LIMIT: usize = 128 << 10;

/// Largest text of an event that is pushed, in bytes: it leaves the edge in one write. A line feed in a payload becomes
/// six bytes of it.
pub const EVENT_LIMIT: usize = 256 << 10;

/// For each socket that is told to read from the log, by how many ms later the last of them comes. Our choice: an object
/// takes about 1,000 requests a second (Cloudflare, Durable Objects limits).
pub const PULL_SPREAD_MS: u64 = 1;

/// The longest time over which they come, in ms. Our choice: below the 5 s in which whoever waits is told of what is
/// written.
pub const PULL_SPREAD_LIMIT_MS: u64 = 4_000;

/// How many sockets come at once. Our choice.
pub const PULLED_AT_ONCE: usize = 8;

/// How long a look into the cache of the datacenter may take, in ms; one that takes longer has found nothing. Our choice:
/// hundreds of times what a look takes, and less than a reader notices who would have waited for the object anyway.
pub const LOOK_UP_MS: u64 = 1_000;

/// How long a limit of how often clients may do something has to answer, in ms; one that takes longer limits nobody. Our
/// choice: it counts in the location of who asks, and each client that opens something waits for it.
pub const RATE_MS: u64 = 250;

/// How long a long-poll waits, in ms, unless the deployment says otherwise. Our choice.
pub const LONG_POLL_MS: u64 = 20_000;

/// The longest long-poll that a deployment may set, in ms. Our choice: the request that flies for others goes on for
/// 30 s after its client has gone (Cloudflare, `waitUntil`), and its last call of the object needs time.
pub const LONG_POLL_LIMIT_MS: u64 = 25_000;

/// About how long a connection with events lasts, in ms, where caches in front share it, unless the deployment says
/// otherwise (protocol, section 5.8: so that later readers share the next one).
pub const SSE_MS: u64 = 60_000;

/// About how long a connection with events lasts, in ms, where nobody shares it, unless the deployment says otherwise.
/// Each costs a request of the Worker and one of the object when it begins again: with 10,000 readers of a silent
/// stream $195 a month if they last a minute, $11 if they last 15 minutes, and $4 if they last half an hour
/// (`cargo sim bill`).
pub const LONG_SSE_MS: u64 = 30 * 60 * 1_000;

/// The longest time without a write on a connection with events, in ms. Our choice. Only a write shows that a client
/// has vanished.
pub const KEEP_ALIVE_MS: u64 = 15_000;

/// The longest connection with events that a deployment may set, in ms. Our choice: twice what is usual. The platform
/// sets none as long as the client stays; but the CPU time of a connection adds up to its limit for a request.
pub const WAIT_LIMIT_MS: u64 = 60 * 60 * 1_000;
