#!/usr/bin/env python3
"""The targets, what was measured, and the table in RESULTS.md that shows both: results.py writes that table anew."""

import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A quick run measures nothing, and its figures go nowhere near the others.
QUICK = os.environ.get("QUICK") == "1"
STORE = HERE.parent / f"target/bench/{'quick' if QUICK else 'results'}.json"
TABLE = HERE / "RESULTS.md"
BEGIN, END = "<!-- results.py writes from here -->", "<!-- to here -->"

# (row, what): the first target, where we want to be, the unit; `<` where less is better, `None` where nothing is asked.
TARGETS = {
    (0, "server at least as fast as the fastest client"): (">", 1.0, 1.0, "times its speed"),
    (0, "server's busy share while the fastest client runs"): ("<", 1.0, 0.9, "of its core"),
    (1, "speed, HTTP/1.1, of the reqwest floor"): (">", 0.80, 0.95, "of its speed"),
    (2, "speed, HTTP/1.1, of oha"): (">", 0.48, 0.60, "of its speed"),
    (3, "speed, HTTP/2 with TLS, of the reqwest floor"): (">", 0.80, 0.95, "of its speed"),
    (3, "speed, HTTP/2 with TLS, of oha"): (">", 0.50, 0.62, "of its speed"),
    (4, "CPU time a key, of the reqwest floor"): ("<", 1.25, 1.08, "times its CPU"),
    (5, "20,000 keys, Python SDK, 64 at once"): (">", 10, 40, "times faster"),
    (5, "20,000 keys, npm SDK, 64 at once"): (">", 3, 10, "times faster"),
    (5, "20,000 keys, Rust crate, 64 at once"): (None, None, None, "times faster"),
    (5, "20,000 keys, xargs -P 64 curl"): (None, None, None, "times faster"),
    (6, "bulk, 1,000,000 keys, wrangler"): (">", 5, 20, "times faster"),
    (7, "quota use, sliding window"): ("<", 1.02, 1.005, "of the ideal time"),
    (7, "quota use, fixed window"): ("<", 1.02, 1.005, "of the ideal time"),
    (7, "refusals, sliding window, most in a job"): ("<", 0, 0, "refusals"),
    (7, "refusals, fixed window, most in a job"): ("<", 0, 0, "refusals"),
    (8, "answers after 50 ms, of 64 / 50 ms"): (">", 0.97, 0.99, "of that speed"),
    (9, "goodput, 10 % faults, of the job without × attempts"): (">", 0.90, 0.97, "of its speed"),
    (10, "peak memory, 10,000,000 keys, over 10,000"): ("<", 8, 2, "MiB more"),
    (11, "deduplication, 10,000,000 keys"): ("<", 32, 20, "bytes per key"),
    (11, "resume, 10,000,000 keys"): ("<", 32, 20, "bytes per key"),
    (12, "dry run, 10,000,000 keys, of csv's reader"): (">", 0.3, 0.6, "of its speed"),
    (12, "dry run, 10,000,000 keys in no order, of csv's reader"): (">", 0.3, 0.6, "of its speed"),
    (12, "dry run, 10,000,000 keys, --no-dedupe, of csv's reader"): (">", 0.3, 0.6, "of its speed"),
    (12, "dry run, 10,000,000 keys in no order"): (">", 2, None, "million keys a second"),
    (13, "resume, report of 10,000,000 rows"): ("<", 15, None, "s"),
    (13, "resume, report of 10,000,000 rows, csv's reader"): ("<", None, 1.5, "times its time"),
    (14, "start to exit, one key"): ("<", 30, 10, "ms"),
    (14, "size of the binary"): ("<", 12, 8, "MiB"),
}


def verdict(better, value, target):
    """Whether `value` meets `target`; `None` where there is none."""
    if better is None or target is None:
        return None
    return value <= target if better == "<" else value >= target


def tell(row, what, values):
    """Prints one comparison as a JSON line, and keeps it for the table in place of an earlier one."""
    better, first, goal, unit = TARGETS[row, what]
    middle = statistics.median(values)
    line = {"row": row, "what": what, "median": round(middle, 4), "least": round(min(values), 4),
            "most": round(max(values), 4), "n": len(values), "unit": unit, "first": first, "goal": goal,
            "first_met": verdict(better, middle, first), "goal_met": verdict(better, middle, goal),
            "date": datetime.date.today().isoformat(), "commit": commit()}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    kept = [old for old in stored()["rows"] if (old["row"], old["what"]) != (row, what)]
    rows = sorted([*kept, line], key=lambda kept: list(TARGETS).index((kept["row"], kept["what"])))
    STORE.write_text(json.dumps({"machine": machine(), "versions": versions(), "rows": rows}, indent=1,
                                ensure_ascii=False) + "\n")


def stored():
    """What was measured so far. A comparison that is no longer made is left out."""
    results = json.loads(STORE.read_text()) if STORE.exists() else {"machine": "", "versions": "", "rows": []}
    results["rows"] = [line for line in results["rows"] if (line["row"], line["what"]) in TARGETS]
    return results


def commit():
    return first_line(["git", "-C", HERE, "describe", "--always", "--dirty"]) or "unknown"


def first_line(command):
    """The first line a command prints, or nothing where it is not there or fails."""
    if not shutil.which(command[0]):
        return ""
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return ran.stdout.partition("\n")[0].strip() if ran.returncode == 0 else ""


def machine():
    info = Path("/proc/cpuinfo").read_text()
    fields = {name: (re.search(rf"^{name}\s*:\s*(.+)$", info, re.M) or ["", "?"])[1]
              for name in ("model name", "cpu family", "model")}
    return (f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']}), {os.cpu_count()} cores, "
            f"Linux {platform.release()}")


def versions():
    peers = HERE.parent / "target/peers"
    said = [first_line([os.environ.get("KVSWEEP", HERE.parent / "target/release/kvsweep"), "--version"]),
            first_line(["rustc", "--version"]), first_line([peers / "bin/oha", "--version"]),
            first_line(["h2load", "--version"]), first_line([peers / "py/bin/python", "--version"]),
            "node " + first_line(["node", "--version"]), " ".join(first_line(["curl", "--version"]).split()[:2])]
    for path in sorted(peers.glob("py/lib/*/site-packages/cloudflare-*.dist-info")):
        said.append(f"cloudflare {path.name.split('-')[1].removesuffix('.dist')} (PyPI)")
    if (peers / "bin/peer-rust").exists():
        pinned = re.search(r'^cloudflare = .*"=(.+?)"', (HERE / "peers/rust/Cargo.toml").read_text(), re.M)
        said.append(f"cloudflare {pinned[1]} (crates.io)")
    for name, shown in (("cloudflare", "cloudflare {} (npm)"), ("wrangler", "wrangler {}")):
        package = peers / f"node/node_modules/{name}/package.json"
        if package.exists():
            said.append(shown.format(json.loads(package.read_text())["version"]))
    return ", ".join(filter(None, said))


def reasons(table):
    """What was written by hand into the last column, by row and comparison."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    return {(row[0], row[1]): row[-1] for row in cells if len(row) == 7 and row[0].isdigit()}


def number(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.4g}"


def cells(row, what, line, reason):
    better, first, goal, unit = TARGETS[row, what]
    sign = {"<": "≤ ", ">": "≥ "}.get(better, "")
    aims = [f"{sign}{number(aim)}" if aim is not None else "–" for aim in (first, goal)]
    result = "not measured"
    if line:
        spread = f" ({number(line['least'])}–{number(line['most'])}, n = {line['n']})" if line["n"] > 1 else ""
        met = [verdict(better, line["median"], aim) for aim in (goal, first)]
        mark = {True: ", **goal met**"}.get(met[0], {True: ", first met", False: ", **missed**"}.get(met[1], ""))
        if first is None and met[0] is False:
            mark = ", **missed**"
        result = f"{number(line['median'])} {unit}{spread}{mark}"
    return f"| {row} | {what} | {aims[0]} | {aims[1]} | {result} | `benches/run.sh {row}` | {reason} |"


def main():
    text = TABLE.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    results, kept = stored(), reasons(table)
    lines = {(line["row"], line["what"]): line for line in results["rows"]}
    dates = sorted({line["date"] for line in lines.values()})
    commits = sorted({line["commit"] for line in lines.values()})
    out = []
    if lines:
        when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        out += [f"Machine: {results['machine']}. Taken {when} at {', '.join(commits)}.", "",
                f"Versions: {results['versions']}.", ""]
    out += ["| row | what, against whom | first target | where we want to be | result | command | why missed |",
            "| --- | --- | --- | --- | --- | --- | --- |"]
    out += [cells(row, what, lines.get((row, what)), kept.get((str(row), what), "")) for row, what in TARGETS]
    TABLE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(out) + f"\n\n{END}{after}")


if __name__ == "__main__":
    main()
