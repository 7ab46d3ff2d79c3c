// The REST layout of Workers KV over a real KV binding: `/client/v4/accounts/{account}/storage/kv/namespaces/{namespace}/…`.
// Paths are read from the raw text of the URL; a key is one segment, decoded once.

const MAX_BULK = 10_000;
const MAX_BULK_GET = 100;
/** How many operations of one bulk call are under way at once. */
const AT_ONCE = 100;

/** What can be asked, below a namespace. */
const CALLS = /^(|keys|bulk|bulk\/delete|bulk\/get|(values|metadata)\/[^/]*)$/;

/** How many requests named a namespace. */
const requests = new Map();

class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

function envelope(result, extra = {}) {
  return Response.json({ success: true, errors: [], messages: [], result, ...extra });
}

function refusal({ status, code, message }) {
  const errors = [{ code, message }];
  return Response.json({ success: false, errors, messages: [], result: null }, { status });
}

/** What the binding itself refuses is the caller's fault, under the status that the binding names. */
async function ask(operation) {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof Problem) throw error;
    const [, status = '400', message] = /^(?:KV \w+ failed: (\d{3}) )?(.*)$/s.exec(String(error?.message ?? error));
    const isTooLarge = status === '413' && !message.startsWith('Metadata');
    throw new Problem(Number(status), isTooLarge ? 10_024 : 10_012, message);
  }
}

/** As Cloudflare's local explorer reads a path: what is not UTF-8 stays as it is written. */
function decoded(segment) {
  return segment.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}

function checkName(name, tooLong) {
  if (typeof name !== 'string' || name === '' || name === '.' || name === '..') {
    throw new Problem(400, 10_012, `${JSON.stringify(name)} is not allowed as a key name.`);
  }
  const length = new TextEncoder().encode(name).length;
  if (length > 512) {
    throw new Problem(tooLong, 10_012, `UTF-8 encoded length of ${length} exceeds key length limit of 512.`);
  }
}

async function body(request, most, names) {
  const parsed = await request.json().catch((error) => {
    throw new Problem(400, 10_012, `could not parse the body: ${error.message}`);
  });
  const found = names(parsed);
  if (!Array.isArray(found) || found.length > most) {
    throw new Problem(400, 10_012, `an array of at most ${most} keys is expected`);
  }
  found.forEach((name) => checkName(name, 400));
  return parsed;
}

/** The pairs of a bulk write, each key once. */
function distinct(pairs) {
  const keys = new Map();
  for (const pair of pairs) {
    const { value, base64 = false } = pair;
    const numbers = [pair.expiration, pair.expiration_ttl].filter((number) => number !== undefined);
    if (typeof value !== 'string' || typeof base64 !== 'boolean' || numbers.some((number) => typeof number !== 'number')) {
      throw new Problem(400, 10_012, `what ${JSON.stringify(pair.key)} is to hold is not of its type`);
    }
    const text = JSON.stringify([value, base64, pair.expiration, pair.expiration_ttl, pair.metadata]);
    if ((keys.get(pair.key)?.text ?? text) !== text) {
      throw new Problem(400, 10_012, `received duplicate key with different values: ${JSON.stringify(pair.key)}`);
    }
    keys.set(pair.key, { text, pair: { ...pair, value: base64 ? bytesOf(value) : value } });
  }
  return [...keys.values()].map(({ pair }) => pair);
}

async function each(items, act) {
  for (let start = 0; start < items.length; start += AT_ONCE) {
    await Promise.all(items.slice(start, start + AT_ONCE).map((item) => ask(() => act(item))));
  }
  return envelope({ successful_key_count: items.length, unsuccessful_keys: [] });
}

function bytesOf(base64) {
  try {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch (error) {
    throw new Problem(400, 10_012, `could not decode a value: ${error.message}`);
  }
}

function options({ expiration, expiration_ttl, metadata }) {
  const lifetime = expiration_ttl === undefined ? { expiration: seconds(expiration) } : { expirationTtl: seconds(expiration_ttl) };
  return { ...lifetime, ...(metadata == null ? {} : { metadata }) };
}

function seconds(given) {
  const number = given === '' ? NaN : Number(given);
  if (given !== undefined && !Number.isFinite(number)) throw new Problem(400, 10_012, `${given} is no number of seconds`);
  return given === undefined ? undefined : number;
}

function metadataOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, 10_012, 'metadata must be valid json');
  }
}

/** When a key is gone: the binding says it in listings only. */
async function expiration(kv, key) {
  const { keys } = await kv.list({ prefix: key, limit: 1 });
  return keys[0]?.name === key ? keys[0].expiration : undefined;
}

async function getValue(kv, key) {
  const value = await ask(() => kv.get(key, 'arrayBuffer'));
  if (value === null) throw new Problem(404, 10_009, "get: 'key not found'");
  const at = await expiration(kv, key);
  const headers = { 'content-type': 'application/octet-stream', ...(at ? { expiration: String(at) } : {}) };
  return new Response(value, { headers });
}

async function putValue(kv, key, request, query) {
  const type = request.headers.get('content-type') ?? '';
  let value;
  let metadata;
  if (type.startsWith('multipart/form-data')) {
    const form = await request.formData();
    value = form.get('value');
    if (value === null) throw new Problem(400, 10_047, "multipart put request does not contain required form field 'value'");
    value = typeof value === 'string' ? value : await value.arrayBuffer();
    metadata = form.get('metadata');
    if (metadata !== null) metadata = metadataOf(typeof metadata === 'string' ? metadata : await metadata.text());
  } else {
    value = await request.arrayBuffer();
  }
  const lifetime = Object.fromEntries(query);
  await ask(() => kv.put(key, value, options({ ...lifetime, metadata })));
  return envelope({});
}

async function getMetadata(kv, key) {
  const { value, metadata } = await ask(() => kv.getWithMetadata(key, 'stream'));
  if (value === null) throw new Problem(404, 10_009, "get metadata: 'key not found'");
  await value.cancel();
  return envelope(metadata);
}

async function listKeys(kv, query) {
  const limit = Number(query.get('limit') ?? 1_000);
  if (!(limit >= 10 && limit <= 1_000)) throw new Problem(400, 10_028, 'limit must be from 10 to 1000');
  const [prefix, cursor] = [query.get('prefix') ?? '', query.get('cursor') || undefined];
  const page = await ask(() => kv.list({ prefix, limit, cursor }));
  return envelope(page.keys, { result_info: { count: page.keys.length, cursor: page.list_complete ? '' : page.cursor } });
}

async function bulkGet(kv, request) {
  const { keys, type = 'text', withMetadata = false } = await body(request, MAX_BULK_GET, (parsed) => parsed?.keys);
  const found = await ask(() => kv.getWithMetadata(keys, type));
  // An object with a prototype would lose `__proto__`, and the binding's own read of many keys loses names too.
  const values = Object.create(null);
  for (const key of keys) {
    const entry = found.get(key);
    const { value, metadata } = entry?.value == null ? await ask(() => kv.getWithMetadata(key, type)) : entry;
    if (value === null || !withMetadata) {
      values[key] = value;
    } else {
      const at = await expiration(kv, key);
      values[key] = { value, metadata, ...(at ? { expiration: at } : {}) };
    }
  }
  return envelope({ values });
}

async function serve(request, env) {
  // Not `new URL(…)`: what it would make of a path is what is being tested.
  const [, path, search = ''] = /^[a-z]+:\/\/[^/?#]*([^?#]*)(?:\?([^#]*))?/.exec(request.url);
  if (path.startsWith('/requests/')) return Response.json(requests.get(path.slice('/requests/'.length)) ?? 0);
  const below = `/client/v4/accounts/${env.ACCOUNT}/storage/kv/namespaces/`;
  const [namespace, ...rest] = path.startsWith(below) ? path.slice(below.length).split('/') : [];
  requests.set(namespace, (requests.get(namespace) ?? 0) + 1);
  if (request.headers.get('authorization') !== `Bearer ${env.TOKEN}`) {
    throw new Problem(403, 10_000, 'Authentication error');
  }
  if (namespace === undefined) throw new Problem(404, 7_000, 'No route for that URI');
  if (!env.NAMESPACES.includes(namespace)) throw new Problem(404, 10_013, 'namespace not found');
  const kv = env[namespace];
  const query = new URLSearchParams(search);
  const call = `${request.method} ${rest[0] ?? ''}`;
  if (rest.length === 2 && (rest[0] === 'values' || rest[0] === 'metadata')) {
    const key = decoded(rest[1]);
    checkName(key, 414);
    if (call === 'GET values') return getValue(kv, key);
    if (call === 'PUT values') return putValue(kv, key, request, query);
    if (call === 'DELETE values') return ask(() => kv.delete(key)).then(() => envelope({}));
    if (call === 'GET metadata') return getMetadata(kv, key);
  }
  switch (`${request.method} ${rest.join('/')}`) {
    case 'GET ':
      return envelope({ id: namespace, title: `workerd ${namespace}`, supports_url_encoding: true });
    case 'GET keys':
      return listKeys(kv, query);
    case 'POST bulk/delete':
      return each([...new Set(await body(request, MAX_BULK, (names) => names))], (key) => kv.delete(key));
    case 'PUT bulk': {
      const pairs = await body(request, MAX_BULK, (all) => Array.isArray(all) && all.map((pair) => pair?.key));
      return each(distinct(pairs), (pair) => kv.put(pair.key, pair.value, options(pair)));
    }
    case 'POST bulk/get':
      return bulkGet(kv, request);
    default:
      if (!CALLS.test(rest.join('/'))) throw new Problem(404, 7_000, 'No route for that URI');
      throw new Problem(405, 7_001, `Method ${request.method} not available for that URI.`);
  }
}

export default {
  fetch: (request, env) =>
    serve(request, env).catch((error) => {
      if (error instanceof Problem) return refusal(error);
      return refusal({ status: 500, code: 10_001, message: String(error) });
    }),
};
