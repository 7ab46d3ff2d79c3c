"""Every KV call of the Python package `cloudflare`."""

import os

import cloudflare

client = cloudflare.Cloudflare(
    api_token=os.environ["CLOUDFLARE_API_TOKEN"], base_url=os.environ["CLOUDFLARE_API_BASE_URL"], max_retries=0
)
namespaces = client.kv.namespaces
account = {"account_id": os.environ["CLOUDFLARE_ACCOUNT_ID"]}
namespace = os.environ["CLOUDFLARE_KV_NAMESPACE_ID"]
here = {**account, "namespace_id": namespace}


def refused(status, code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except cloudflare.APIStatusError as error:
        assert error.status_code == status, error
        assert code in (None, error.body["errors"][0]["code"]), error
    else:
        raise AssertionError(f"{args} {kwargs} was not refused")


values = namespaces.values
values.update("text", **here, value=b"value", metadata={"a": [1]})
values.update("expires", **here, value=b"v", expiration=4102444800)
values.update("a/b ?", **here, value=b"\x00\xff")
values.update("object", **here, value=b"v", metadata='{"a": 1}', expiration_ttl=600)
assert values.get("text", **here).read() == b"value"
assert values.get("a/b ?", **here).read() == b"\x00\xff"
assert values.get("expires", **here).headers["expiration"] == "4102444800"
refused(404, None, values.get, "none", **here)
assert namespaces.metadata.get("object", **here) == {"a": 1}
values.delete("a/b ?", **here)

pairs = [{"key": f"bulk:{n}", "value": str(n), "metadata": {"n": n}} for n in range(12)]
names = [pair["key"] for pair in pairs]
written = namespaces.bulk_update(namespace, **account, body=pairs)
assert (written.successful_key_count, written.unsuccessful_keys) == (12, [])
listed = list(namespaces.keys.list(namespace, **account, prefix="bulk:", limit=10))
assert sorted(key.name for key in listed) == sorted(names)
assert listed[0].metadata == {"n": 0}
read = namespaces.bulk_get(namespace, **account, keys=["bulk:1", "none"], with_metadata=True).to_dict()
assert read == {"values": {"bulk:1": {"value": "1", "metadata": {"n": 1}}, "none": None}}, read
deleted = namespaces.bulk_delete(namespace, **account, body=names)
assert (deleted.successful_key_count, deleted.unsuccessful_keys) == (12, [])

created = namespaces.create(**account, title="made")
refused(400, 10014, namespaces.create, **account, title="made")
assert namespaces.update(created.id, **account, title="renamed").title == "renamed"
listed = namespaces.list(**account, order="title", direction="desc", per_page=1)
assert [found.title for found in listed] == ["sandbox", "renamed"]
assert namespaces.get(created.id, **account).title == "renamed"
refused(400, 10041, namespaces.keys.list, namespace, **account, cursor="made up")
namespaces.delete(created.id, **account)
refused(404, 10013, namespaces.get, created.id, **account)
namespaces.create(**account, title="kept")
