#!/usr/bin/env python3
"""Runs rows of the benchmark table in pairs, in turn, and prints one JSON line a comparison. See README.md."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from urllib.parse import quote

from measure import (HERE, OURS, PAIRS, PEERS, QUICK, RIG, WORK, Sandbox, Server, delete, extended, in_turn, made,
                     names, node, python, rust, sized, timed)
from results import main as write_table
from results import tell

OHA = PEERS / "bin/oha"
KEY = "/accounts/acc/storage/kv/namespaces/ns/values/session%3Auser%2F00000001%3A9e3779b1"


def server_speed():
    """Row 0: that the server is no bottleneck. It is as fast at least as h2load, the fastest client there is, can ask."""
    count, keys = sized(200_000), made("keys", sized(200_000))
    if not shutil.which("h2load"):
        sys.exit("row 0 needs h2load (nghttp2-client)")
    with Server() as server:
        url, busy = server.http, []

        def oha():
            before = server.cpu()
            ran = timed([OHA, "-n", count, "-c", "64", "-m", "DELETE", "--no-tui", url + KEY])
            busy.append((server.cpu() - before) / ran["s"])
            return ran

        rounds = in_turn(
            h2load=lambda: timed(["h2load", "--h1", "-n", count, "-c", "64", "-H", ":method: DELETE", url + KEY]),
            oha=oha,
            floor=lambda: timed([RIG, "floor", url + KEY, count, 64]),
            ours=lambda: timed(delete(keys), url),
        )
    for round_ in rounds:
        if f"{count} 2xx" not in round_["h2load"]["out"]:
            sys.exit(f"h2load was refused: {round_['h2load']['out']}")
    fastest = [min(r[name]["s"] for name in ("oha", "floor", "ours")) for r in rounds]
    tell(0, "server at least as fast as the fastest client", [f / r["h2load"]["s"] for f, r in zip(fastest, rounds)])
    tell(0, "server's busy share while the fastest client runs", busy)


def speed():
    """Rows 1, 2 and 4 over HTTP/1.1."""
    count, keys = sized(200_000), made("keys", sized(200_000))
    with Server() as server:
        url = server.http
        rounds = in_turn(
            ours=lambda: timed(delete(keys), url),
            floor=lambda: timed([RIG, "floor", url + KEY, count, 64]),
            oha=lambda: timed([OHA, "-n", count, "-c", "64", "-m", "DELETE", "--no-tui", url + KEY]),
        )
    tell(1, "speed, HTTP/1.1, of the reqwest floor", [r["floor"]["s"] / r["ours"]["s"] for r in rounds])
    tell(2, "speed, HTTP/1.1, of oha", [r["oha"]["s"] / r["ours"]["s"] for r in rounds])
    tell(4, "CPU time a key, of the reqwest floor", [r["ours"]["cpu"] / r["floor"]["cpu"] for r in rounds])


def speed_http2():
    """Row 3, over HTTP/2 with TLS."""
    count, keys, cert = sized(200_000), made("keys", sized(200_000)), WORK / "cert.pem"
    with Server("--cert", cert) as server:
        url = server.https
        rounds = in_turn(
            ours=lambda: timed(delete(keys, "--cacert", cert), url),
            floor=lambda: timed([RIG, "floor", url + KEY, count, 64, cert]),
            oha=lambda: timed([OHA, "-n", count, "-c", "1", "-p", "64", "--http2", "--insecure", "-m", "DELETE",
                               "--no-tui", url + KEY]),
        )
    tell(3, "speed, HTTP/2 with TLS, of the reqwest floor", [r["floor"]["s"] / r["ours"]["s"] for r in rounds])
    tell(3, "speed, HTTP/2 with TLS, of oha", [r["oha"]["s"] / r["ours"]["s"] for r in rounds])


def latency():
    """Row 8: 50 ms answers."""
    count, keys = sized(10_000), made("keys", sized(10_000))
    with Server("--latency-ms", "50") as server:
        url = server.http
        runs = in_turn(ours=lambda: timed(delete(keys), url))
    # Every slot 150 times, and the look at the namespace before them.
    ideal = (count // 64 + 1) * 0.050
    tell(8, "answers after 50 ms, of 64 / 50 ms", [ideal / r["ours"]["s"] for r in runs])


def peers():
    """Row 5: what a user would do otherwise. The slow ones delete fewer keys and are extended, their start not."""
    count, fewer, few = sized(20_000), sized(4_000), sized(1_000)
    key, prefix = names(1)[0], KEY.rpartition("/")[0]
    with Server() as server:
        url = server.http
        urls = WORK / "urls"
        urls.write_text("".join(f"{url}{prefix}/{quote(key, safe='')}\n" for key in names(few)))

        def script(*command, cwd=None):
            some, one = (timed([*command, made("keys", n)], url, cwd) for n in (fewer, 1))
            return extended(some["s"], one["s"], fewer, count)

        def curl():
            ran = timed(["xargs", "-a", urls, "-P", "64", "-n", "1", "curl", "-sS", "--fail", "-o", "/dev/null", "-X",
                         "DELETE", "-H", "Authorization: Bearer any"])
            return extended(ran["s"], 0, few, count)

        rounds = in_turn(
            ours=lambda: timed(delete(made("keys", count)), url)["s"],
            python=lambda: script(python(), HERE / "peers/python.py"),
            npm=lambda: script("node", HERE / "peers/npm.mjs", cwd=node()),
            rust=lambda: script(rust()),
            curl=curl,
        )
    tell(5, "20,000 keys, Python SDK, 64 at once", [r["python"] / r["ours"] for r in rounds])
    tell(5, "20,000 keys, npm SDK, 64 at once", [r["npm"] / r["ours"] for r in rounds])
    tell(5, "20,000 keys, Rust crate, 64 at once", [r["rust"] / r["ours"] for r in rounds])
    tell(5, "20,000 keys, xargs -P 64 curl", [r["curl"] / r["ours"] for r in rounds])


def bulk():
    """Row 6. wrangler speaks the older call only; it deletes 25,000 keys and is extended, its start not."""
    count, fewer = sized(1_000_000), sized(25_000)
    files = {n: WORK / f"names-{n}.json" for n in (fewer, 1)}
    for n, path in files.items():
        path.write_text(json.dumps(names(n)))
    with Sandbox() as server:
        url = server.http

        def wrangler():
            command = [node() / "node_modules/.bin/wrangler", "kv", "bulk", "delete", "--namespace-id", "ns", "--remote",
                       "--force"]
            some, one = (timed([*command, files[n]], url, WORK)["s"] for n in (fewer, 1))
            return extended(some, one, fewer, count)

        rounds = in_turn(ours=lambda: timed(delete(made("keys", count), "--bulk"), url)["s"], wrangler=wrangler)
    tell(6, "bulk, 1,000,000 keys, wrangler", [r["wrangler"] / r["ours"] for r in rounds])


def quota():
    """Row 7: 1,000 requests in 10 s for 5,000 keys, five times for each kind of window, all at once.

    Nothing is compared with anything here and the machine is idle nearly all the time, so the jobs share it; each
    has its own server, and they begin a second apart because a burst takes about that long.
    """
    keys = made("keys", sized(5_000))
    # Quick: the window shrinks too.
    allowed, window = sized(1_000), 1 if QUICK else 10

    def job(index, kind):
        sleep(index)
        quota = f"{allowed}/{window}s" + ("/fixed" if kind == "fixed" else "")
        with Sandbox("--quota", quota, "--latency", "20ms..80ms", "--seed", str(index)) as server:
            ran = timed(delete(keys, "--json", rate=f"{allowed}/{window}s", report=f"report-{index}"), server.http)
            said = json.loads(ran["out"])
            waits = (said["requests"] - 1) // allowed
            # A fixed window may have begun as early as its server's start, so that the last begins that much earlier.
            spent = ran["began"] - server.started if kind == "fixed" else 0
            return ran["s"] / (waits * window - spent), said["throttled"]

    kinds = ["sliding", "fixed"] * PAIRS
    with ThreadPoolExecutor(len(kinds)) as pool:
        ended = list(pool.map(job, range(len(kinds)), kinds))
    for kind in ("sliding", "fixed"):
        shares, refusals = zip(*(end for end, of in zip(ended, kinds) if of == kind))
        tell(7, f"quota use, {kind} window", shares)
        tell(7, f"refusals, {kind} window, most in a job", [max(refusals)])


def goodput():
    """Row 9: the time of a job whose attempts fail one time in ten, against that of one without × attempts a key."""
    count = sized(200_000)
    command = delete(made("keys", count), "--json")
    with Sandbox() as sound, Sandbox("--fault", "503=0.1") as faulty:
        rounds = in_turn(ours=lambda: timed(command, faulty.http), without=lambda: timed(command, sound.http))
    shares = []
    for r in rounds:
        said = json.loads(r["ours"]["out"])
        if said["deleted"] + said["absent"] != count or not said["retries"]:
            sys.exit(f"not a job with faults in which all is deleted: {said}")
        shares.append(r["without"]["s"] * said["requests"] / count / r["ours"]["s"])
    tell(9, "goodput, 10 % faults, of the job without × attempts", shares)


def memory():
    """Row 10: the real job, once."""
    with Server() as server:
        kib = [timed(delete(made("keys", n), "--no-dedupe"), server.http)["kib"] for n in (10_000, sized(10_000_000))]
    tell(10, "peak memory, 10,000,000 keys, over 10,000", [(kib[1] - kib[0]) / 1024])


def dry(path, *options):
    return timed([OURS, "delete", path, "--dry-run", *options])


def dry_run():
    """Rows 11 (deduplication) and 12."""
    count = sized(10_000_000)
    keys, shuffled = made("keys", count), made("shuffled", count)
    rounds = in_turn(ours=lambda: dry(keys), without=lambda: dry(keys, "--no-dedupe"), shuffled=lambda: dry(shuffled),
                     csv=lambda: timed([RIG, "count", keys]))
    for who, what in ("ours", ""), ("shuffled", " in no order"), ("without", ", --no-dedupe"):
        tell(12, f"dry run, 10,000,000 keys{what}, of csv's reader", [r["csv"]["s"] / r[who]["s"] for r in rounds])
    tell(12, "dry run, 10,000,000 keys in no order", [count / 1e6 / r["shuffled"]["s"] for r in rounds])
    extra = [(r["shuffled"]["kib"] - r["without"]["kib"]) * 1024 / count for r in rounds]
    tell(11, "deduplication, 10,000,000 keys", extra)


def resume():
    """Rows 11 (resume) and 13: everything is settled already, so the namespace is all that is asked for."""
    count = sized(10_000_000)
    keys, report = made("keys", count), made("report", count)
    command = [OURS, "delete", keys, "--yes", "--progress", "never", "--report", report, "--resume", "--no-dedupe"]
    with Server() as server:
        rounds = in_turn(ours=lambda: timed(command, server.http), csv=lambda: timed([RIG, "count", report]))
    tell(13, "resume, report of 10,000,000 rows", [r["ours"]["s"] for r in rounds])
    tell(13, "resume, report of 10,000,000 rows, csv's reader", [r["ours"]["s"] / r["csv"]["s"] for r in rounds])
    tell(11, "resume, 10,000,000 keys", [r["ours"]["kib"] * 1024 / count for r in rounds])


def small():
    """Row 14."""
    keys = made("keys", 1)
    with Server() as server:
        runs = in_turn(ours=lambda: timed(delete(keys), server.http))
    tell(14, "start to exit, one key", [r["ours"]["s"] * 1000 for r in runs])
    tell(14, "size of the binary", [OURS.stat().st_size / 2**20])


ROWS = {0: server_speed, 1: speed, 2: speed, 3: speed_http2, 4: speed, 5: peers, 6: bulk, 7: quota, 8: latency,
        9: goodput, 10: memory, 11: (dry_run, resume), 12: dry_run, 13: resume, 14: small}


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = [int(word) for word in sys.argv[1:]] or list(ROWS)
    unknown = [row for row in wanted if row not in ROWS]
    if unknown:
        sys.exit(f"no such row: {unknown}; there are {list(ROWS)}")
    measures = [measure for row in wanted for measure in (ROWS[row] if isinstance(ROWS[row], tuple) else (ROWS[row],))]
    for measure in dict.fromkeys(measures):
        measure()
    if not QUICK:
        write_table()


if __name__ == "__main__":
    main()
