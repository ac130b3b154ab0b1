// The inner entrypoint of the Worker. Only the Worker itself can ask it (`ctx.exports`): it has no address. By a policy with
// a gateway the default entrypoint does so for reads that may be shared, once it has checked access, and Workers Cache
// stands between the two if `wrangler.toml` has it enabled for this entrypoint.

import { WorkerEntrypoint } from "cloudflare:workers";
import { serve } from "./edge_request.mjs";

export class CachedReads extends WorkerEntrypoint {
  fetch(request) {
    return serve(request, this.env, this.ctx, true);
  }
}
