#!/usr/bin/env python3
"""Runs rows of the benchmark table in pairs, in turn, and prints one JSON line a comparison. See README.md."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target/bench"
OURS = ROOT / "target/release/kvsweep"
OHA = ROOT / "target/peers/bin/oha"
RIG = Path(os.environ["RIG"])
PAIRS = int(os.environ.get("PAIRS", "5"))
KEY = "/accounts/acc/storage/kv/namespaces/ns/values/session%3Auser%2F00000001%3A9e3779b1"


class Server:
    """The rig's server on core 0."""

    def __init__(self, *options):
        self.process = subprocess.Popen(["taskset", "-c", "0", RIG, "server", *options], stdout=subprocess.PIPE)
        where = json.loads(self.process.stdout.readline())
        self.http, self.https = where["http"], where["https"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def timed(command, url=None):
    """Runs a whole process on core 1; seconds, CPU seconds and peak memory in KiB, from outside."""
    env = dict(os.environ, CLOUDFLARE_API_TOKEN="any", CLOUDFLARE_ACCOUNT_ID="acc", CLOUDFLARE_KV_NAMESPACE_ID="ns")
    if url:
        env["CLOUDFLARE_API_BASE_URL"] = url
    start = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", "1", *map(str, command)],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{command} failed: {said.decode(errors='replace')}")
    return {"s": seconds, "cpu": usage.ru_utime + usage.ru_stime, "kib": usage.ru_maxrss}


def in_turn(**contestants):
    """Every contestant once a round, the order reversed every other round."""
    rounds = []
    for index in range(PAIRS):
        names = list(contestants)[:: 1 if index % 2 == 0 else -1]
        rounds.append({name: contestants[name]() for name in names})
    return rounds


def tell(row, against, values, target, goal, lower_is_better=False):
    middle = statistics.median(values)
    met = middle <= target if lower_is_better else middle >= target
    line = {"row": row, "against": against, "median": round(middle, 4), "least": round(min(values), 4),
            "most": round(max(values), 4), "n": len(values), "target": target, "goal": goal, "met": met}
    print(json.dumps(line), flush=True)


def made(what, count):
    path = WORK / f"{what}-{count}.csv"
    # A report that is a day old is warned about, so it is made anew.
    if what == "report" or not path.exists():
        subprocess.run([RIG, what, str(count), path], check=True)
    return path


def delete(keys, *options):
    return [OURS, "delete", keys, "--yes", "--rate", "none", "--concurrency", "64", "--progress", "never",
            "--report", WORK / "report.csv", "--overwrite", *options]


def speed():
    """Rows 1, 2 and 4 over HTTP/1.1."""
    count, keys = 200_000, made("keys", 200_000)
    with Server() as server:
        url = server.http
        rounds = in_turn(
            ours=lambda: timed(delete(keys), url),
            floor=lambda: timed([RIG, "floor", url + KEY, count, 64]),
            oha=lambda: timed([OHA, "-n", count, "-c", "64", "-m", "DELETE", "--no-tui", url + KEY]),
        )
    tell(1, "reqwest floor, speed", [r["floor"]["s"] / r["ours"]["s"] for r in rounds], 0.80, 0.95)
    tell(2, "oha, speed", [r["oha"]["s"] / r["ours"]["s"] for r in rounds], 0.48, 0.60)
    tell(4, "reqwest floor, CPU", [r["ours"]["cpu"] / r["floor"]["cpu"] for r in rounds], 1.25, 1.08, True)


def speed_http2():
    """Row 3, over HTTP/2 with TLS."""
    count, keys, cert = 200_000, made("keys", 200_000), WORK / "cert.pem"
    with Server("--cert", cert) as server:
        url = server.https
        rounds = in_turn(
            ours=lambda: timed(delete(keys, "--cacert", cert), url),
            floor=lambda: timed([RIG, "floor", url + KEY, count, 64, cert]),
            oha=lambda: timed([OHA, "-n", count, "-c", "1", "-p", "64", "--http2", "--insecure", "-m", "DELETE",
                               "--no-tui", url + KEY]),
        )
    tell(3, "reqwest floor, HTTP/2", [r["floor"]["s"] / r["ours"]["s"] for r in rounds], 0.80, 0.95)
    tell(3, "oha, HTTP/2", [r["oha"]["s"] / r["ours"]["s"] for r in rounds], 0.50, 0.62)


def latency():
    """Row 8: 50 ms answers."""
    count, keys = 10_000, made("keys", 10_000)
    with Server("--latency-ms", "50") as server:
        url = server.http
        runs = in_turn(ours=lambda: timed(delete(keys), url))
    # Every slot 150 times, and the look at the namespace before them.
    ideal = (count // 64 + 1) * 0.050
    tell(8, "64 / 50 ms", [ideal / r["ours"]["s"] for r in runs], 0.97, 0.99)


def memory():
    """Row 10: the real job, once."""
    with Server() as server:
        kib = [timed(delete(made("keys", n), "--no-dedupe"), server.http)["kib"] for n in (10_000, 10_000_000)]
    tell(10, "10,000 keys, MiB more", [(kib[1] - kib[0]) / 1024], 8, 2, True)


def dry(path, *options):
    return timed([OURS, "delete", path, "--dry-run", *options])


def dry_run():
    """Rows 11 (deduplication) and 12."""
    keys = made("keys", 10_000_000)
    rounds = in_turn(ours=lambda: dry(keys), without=lambda: dry(keys, "--no-dedupe"),
                     csv=lambda: timed([RIG, "count", keys]))
    tell(12, "csv's reader, speed", [r["csv"]["s"] / r["ours"]["s"] for r in rounds], 0.3, 0.6)
    extra = [(r["ours"]["kib"] - r["without"]["kib"]) * 1024 / 10_000_000 for r in rounds]
    tell(11, "bytes a key, deduplication", extra, 32, 20, True)


def resume():
    """Rows 11 (resume) and 13: everything is settled already, so the namespace is all that is asked for."""
    keys, report = made("keys", 10_000_000), made("report", 10_000_000)
    command = [OURS, "delete", keys, "--yes", "--progress", "never", "--report", report, "--resume", "--no-dedupe"]
    with Server() as server:
        rounds = in_turn(ours=lambda: timed(command, server.http), csv=lambda: timed([RIG, "count", report]))
    tell(13, "seconds", [r["ours"]["s"] for r in rounds], 15, 15, True)
    tell(13, "csv's reader, times its time", [r["ours"]["s"] / r["csv"]["s"] for r in rounds], 1.5, 1.5, True)
    tell(11, "bytes a key, resume", [r["ours"]["kib"] * 1024 / 10_000_000 for r in rounds], 32, 20, True)


def small():
    """Row 14."""
    keys = made("keys", 1)
    with Server() as server:
        runs = in_turn(ours=lambda: timed(delete(keys), server.http))
    tell(14, "ms from start to exit", [r["ours"]["s"] * 1000 for r in runs], 30, 10, True)
    tell(14, "MiB of binary", [OURS.stat().st_size / 2**20], 12, 8, True)


ROWS = {1: speed, 2: speed, 3: speed_http2, 4: speed, 8: latency, 10: memory, 11: dry_run, 12: dry_run, 13: resume,
        14: small}


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = [int(word) for word in sys.argv[1:]] or list(ROWS)
    unknown = [row for row in wanted if row not in ROWS]
    if unknown:
        sys.exit(f"no such row: {unknown}; there are {list(ROWS)}")
    for measure in dict.fromkeys(ROWS[row] for row in wanted):
        measure()


if __name__ == "__main__":
    main()
