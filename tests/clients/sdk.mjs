// Every KV call of the npm package `cloudflare`.
import assert from 'node:assert/strict';
import Cloudflare from 'cloudflare';

const { env } = process;
const client = new Cloudflare({ apiToken: env.CLOUDFLARE_API_TOKEN, baseURL: env.CLOUDFLARE_API_BASE_URL, maxRetries: 0 });
const { namespaces } = client.kv;
const account = { account_id: env.CLOUDFLARE_ACCOUNT_ID };
const namespace_id = env.CLOUDFLARE_KV_NAMESPACE_ID;
const here = { ...account, namespace_id };
const refused = (promise, status, code) =>
  assert.rejects(promise, (error) => error.status === status && error.errors[0].code === code);
const all = async (pages) => {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
};

const { values } = namespaces;
await values.update('text', { ...here, value: 'value', metadata: '{"a":[1]}' });
await values.update('expires', { ...here, value: 'v', expiration: 4102444800 });
await values.update('a/b ?', { ...here, value: new File(['\x00ÿ'], 'bytes') });
await refused(values.update('object', { ...here, value: 'v', metadata: { a: 1 } }), 400, 10047);
await values.update('object', { ...here, value: 'v', metadata: JSON.stringify({ a: 1 }), expiration_ttl: 600 });
assert.equal(await (await values.get('text', here)).text(), 'value');
assert.equal(await (await values.get('a/b ?', here)).text(), '\x00ÿ');
assert.equal((await values.get('expires', here)).headers.get('expiration'), '4102444800');
await assert.rejects(values.get('none', here), (error) => error.status === 404);
assert.deepEqual(await namespaces.metadata.get('text', here), { a: [1] });
await values.delete('a/b ?', here);

const pairs = Array.from({ length: 12 }, (_, n) => ({ key: `bulk:${n}`, value: `${n}`, metadata: { n } }));
const written = await namespaces.bulkUpdate(namespace_id, { ...account, body: pairs });
assert.deepEqual(written, { successful_key_count: 12, unsuccessful_keys: [] });
const listed = await all(namespaces.keys.list(namespace_id, { ...account, prefix: 'bulk:', limit: 10 }));
assert.deepEqual(listed.map(({ name }) => name).sort(), pairs.map(({ key }) => key).sort());
assert.deepEqual(listed[0].metadata, { n: 0 });
const read = await namespaces.bulkGet(namespace_id, { ...account, keys: ['bulk:1', 'none'], withMetadata: true });
assert.deepEqual(read, { values: { 'bulk:1': { value: '1', metadata: { n: 1 } }, none: null } });
const deleted = await namespaces.bulkDelete(namespace_id, { ...account, body: pairs.map(({ key }) => key) });
assert.deepEqual(deleted, { successful_key_count: 12, unsuccessful_keys: [] });

const created = await namespaces.create({ ...account, title: 'made' });
await refused(namespaces.create({ ...account, title: 'made' }), 400, 10014);
assert.equal((await namespaces.update(created.id, { ...account, title: 'renamed' })).title, 'renamed');
const titles = async (query) => (await all(namespaces.list({ ...account, ...query }))).map(({ title }) => title);
assert.deepEqual(await titles({ order: 'title', direction: 'desc', per_page: 1 }), ['sandbox', 'renamed']);
assert.deepEqual(await namespaces.get(created.id, account), { id: created.id, title: 'renamed', supports_url_encoding: true });
await refused(namespaces.keys.list(namespace_id, { ...account, cursor: 'made up' }), 400, 10041);
await namespaces.delete(created.id, account);
await refused(namespaces.get(created.id, account), 404, 10013);
await namespaces.create({ ...account, title: 'kept' });
