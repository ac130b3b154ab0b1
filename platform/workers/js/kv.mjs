// KV. A namespace that is not bound, or that fails, has told nothing.

/**
 * For how many seconds a datacenter may go by what it has been told of a key: the least that the platform takes (Cloudflare,
 * KV, `cacheTtl`; its local runtime refuses less, too).
 */
const CACHE_TTL_S = 30;

/** The text of a key: null if there is none, undefined if KV fails. */
export async function read(namespace, key) {
  try {
    return await namespace.get(key, { cacheTtl: CACHE_TTL_S });
  } catch (error) {
    return failed(error);
  }
}

/**
 * A page of keys: where the next one begins, or nothing, and then name and note of each key, every item followed by a line
 * feed. Undefined if KV fails.
 */
export async function list(namespace, from) {
  try {
    const { keys, list_complete: isComplete, cursor } = await namespace.list(from === "" ? {} : { cursor: from });
    let text = `${isComplete ? "" : cursor}\n`;
    for (const { name, metadata } of keys) {
      // No key of ours has a line feed.
      if (!name.includes("\n")) text += `${name}\n${metadata?.note ?? ""}\n`;
    }
    return text;
  } catch (error) {
    return failed(error);
  }
}

function failed(error) {
  console.warn(`KV does not answer: ${error}`);
  return undefined;
}
