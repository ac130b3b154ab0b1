// The Worker and its Durable Objects. Every decision is made in Rust. JavaScript passes requests in and answers out,
// does what Rust asks for, and sees to it that each request is answered even if the wasm instance is lost.
//
// | file | what it holds |
// | --- | --- |
// | entry.mjs | the Worker: its default entrypoint, which is the gateway if the policy has one |
// | cached_reads.mjs | its inner entrypoint |
// | edge_request.mjs | one request at the edge, from its task's start to its answer; its body and its call |
// | edge_io.mjs | the handles and operations of a request's task |
// | upload.mjs, download.mjs | the body of a request; the body of an answer that is written piece by piece |
// | socket.mjs, pipe.mjs | the edge's end of a socket; passing its messages on to a client |
// | flight.mjs | the work of one request whose answer identical requests share |
// | cache.mjs | the cache of the datacenter |
// | durable_object.mjs | the Durable Objects: a thin class each over one host |
// | object_io.mjs | an object's storage, bucket, KV, alarm, sockets and answers |
// | kv.mjs | KV |
// | stub.mjs | what edge and object agree on |
// | reply.mjs | answers as plain data |
// | instance.mjs | making, losing and replacing the wasm instance |
// | weak_values.mjs | a map that keeps no value alive |

import { serve } from "./edge_request.mjs";

export { CachedReads } from "./cached_reads.mjs";
export { ProjectObject, StreamObject } from "./durable_object.mjs";

export default {
  fetch(request, env, ctx) {
    return serve(request, env, ctx, false);
  },
};
