// The job with the npm SDK, 64 at once: npm.mjs KEYS.csv, run where the package is installed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const Cloudflare = createRequire(join(process.cwd(), 'here.js'))('cloudflare');
const { CLOUDFLARE_ACCOUNT_ID: account_id, CLOUDFLARE_KV_NAMESPACE_ID: namespace_id } = process.env;
const client = new Cloudflare({ baseURL: process.env.CLOUDFLARE_API_BASE_URL });
// The benchmark's keys need no quotes.
const keys = readFileSync(process.argv[2], 'utf8').trimEnd().split('\n').slice(1).values();

async function loop() {
  for (const key of keys) {
    await client.kv.namespaces.values.delete(key, { account_id, namespace_id });
  }
}

await Promise.all(Array.from({ length: 64 }, loop));
