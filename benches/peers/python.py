"""The job with the Python SDK, 64 at once: python.py KEYS.csv"""

import asyncio
import csv
import os
import sys

from cloudflare import AsyncCloudflare


async def main():
    # A script of five lines reads them all at once, too.
    with open(sys.argv[1], newline="") as file:
        keys = iter([row["key"] for row in csv.DictReader(file)])
    account, namespace = os.environ["CLOUDFLARE_ACCOUNT_ID"], os.environ["CLOUDFLARE_KV_NAMESPACE_ID"]

    async with AsyncCloudflare(base_url=os.environ["CLOUDFLARE_API_BASE_URL"]) as client:

        async def loop():
            for key in keys:
                await client.kv.namespaces.values.delete(key, account_id=account, namespace_id=namespace)

        await asyncio.gather(*(loop() for _ in range(64)))


asyncio.run(main())
