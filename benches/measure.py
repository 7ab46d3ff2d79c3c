"""How a process is measured, and what it is measured with: the servers, the files, the peers. See README.md."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / "target/bench"
PEERS = ROOT / "target/peers"
OURS = Path(os.environ.get("KVSWEEP", ROOT / "target/release/kvsweep"))
RIG = Path(os.environ["RIG"])
PAIRS = int(os.environ.get("PAIRS", "5"))
# A hundredth of every job: to see whether a row runs, not to measure.
QUICK = os.environ.get("QUICK") == "1"
PYPI, NPM = ["cloudflare==5.9.0"], ["cloudflare@7.3.0", "wrangler@4.164.0"]


def sized(count):
    return max(count // 100, 1) if QUICK else count


class Server:
    """The rig's server on core 0."""

    def __init__(self, *options):
        self.process = subprocess.Popen(["taskset", "-c", "0", RIG, "server", *options], stdout=subprocess.PIPE)
        where = json.loads(self.process.stdout.readline())
        self.http, self.https = where["http"], where["https"]

    def cpu(self):
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Sandbox(Server):
    """The sandbox on core 0: for what the rig's server does not know."""

    def __init__(self, *options):
        # Windows are counted from a moment after this one.
        self.started = time.monotonic()
        self.process = subprocess.Popen(["taskset", "-c", "0", OURS, "sandbox", "--port", "0", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        told = (re.search(r"CLOUDFLARE_API_BASE_URL=(\S+)", line) for line in self.process.stdout)
        self.http = next(filter(None, told))[1]


def timed(command, url=None, cwd=None):
    """Runs a whole process on core 1; seconds, CPU seconds and peak memory in KiB, from outside, and its stdout."""
    env = dict(os.environ, CLOUDFLARE_API_TOKEN="any", CLOUDFLARE_ACCOUNT_ID="acc", CLOUDFLARE_KV_NAMESPACE_ID="ns",
               WRANGLER_SEND_METRICS="false", WRANGLER_HIDE_BANNER="true")
    if url:
        env["CLOUDFLARE_API_BASE_URL"] = url
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen(["taskset", "-c", "1", *map(str, command)], env=env, cwd=cwd,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said = [(file.seek(0), file.read().decode(errors="replace"))[1] for file in (out, err)]
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed ({process.returncode}): {said[0][-2000:]}{said[1][-2000:]}")
    return {"s": seconds, "cpu": usage.ru_utime + usage.ru_stime, "kib": usage.ru_maxrss, "out": said[0],
            "began": start}


def in_turn(**contestants):
    """Every contestant once a round, the order reversed every other round."""
    rounds = []
    for index in range(PAIRS):
        names = list(contestants)[:: 1 if index % 2 == 0 else -1]
        rounds.append({name: contestants[name]() for name in names})
    return rounds


def extended(some, one, count, wanted):
    """Seconds that `wanted` keys take, from `some` seconds for `count` keys and `one` for a single key.

    The start is counted once and not scaled, which would make a slow starter look slower than it is.
    """
    return one + (some - one) * wanted / count


def made(what, count):
    path = WORK / f"{what}-{count}.csv"
    # A report that is a day old is warned about, so it is made anew.
    if what == "report" or not path.exists():
        subprocess.run([RIG, what, str(count), path], check=True)
    return path


def names(count):
    """The keys of a file, the first being the heading's next line."""
    return made("keys", count).read_text().split()[1:]


def python():
    """The interpreter of the Python SDK, installed below target/ where it is not there yet."""
    found = PEERS / "py/bin/python"
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS / "py"], check=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", *PYPI], check=True, stdout=sys.stderr)
    return found


def node():
    """Where the packages of npm are, installed below target/ where they are not there yet."""
    folder = PEERS / "node"
    if not all((folder / "node_modules" / name.partition("@")[0]).exists() for name in NPM):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *NPM], check=True,
                       stdout=sys.stderr)
    return folder


def rust():
    """The program around the `cloudflare` crate, built below target/ where it is not there or older than its source."""
    found, source = PEERS / "bin/peer-rust", HERE / "peers/rust"
    if not found.exists() or found.stat().st_mtime < max(path.stat().st_mtime for path in source.iterdir()):
        subprocess.run(["cargo", "install", "--quiet", "--locked", "--force", "--path", source, "--root", PEERS],
                       env=dict(os.environ, CARGO_TARGET_DIR=str(PEERS / "build")), check=True, stdout=sys.stderr)
    return found


def delete(keys, *options, rate="none", report="report"):
    return [OURS, "delete", keys, "--yes", "--rate", rate, "--concurrency", "64", "--progress", "never",
            "--report", WORK / f"{report}.csv", "--overwrite", *options]
