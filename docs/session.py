#!/usr/bin/env python3
"""Records docs/session.svg: runs the commands below in a terminal of its own and draws what it showed, when it did.

    pip install pyte && cargo build && docs/session.py target/debug/kvsweep

Nothing is made up but the typing. Each stretch of text appears, and goes, when it did; who wants no motion, or has a
viewer without any, sees the end. Needs nothing from elsewhere: no script, no font, no other file.
"""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from html import escape
from pathlib import Path

import pyte

COLUMNS, LINES = 100, 60
CHAR, LINE, MARGIN, BAR = 8.4, 19, 18, 34
COMMANDS = ["kvsweep delete samples/keys.csv --dry-run", "kvsweep delete samples/keys.csv --sandbox"]
TITLE = "kvsweep: a dry run, then a rehearsal against a server in memory"
ROOT = Path(__file__).resolve().parent.parent


class Film:
    """What stands on each line, from when to when."""

    def __init__(self):
        self.screen = pyte.Screen(COLUMNS, LINES)
        self.stream = pyte.ByteStream(self.screen)
        self.standing = {}
        self.taken = []
        self.time = 0.0

    def feed(self, data, time_):
        self.time = time_
        self.stream.feed(data)
        for row in range(LINES):
            now = self.runs(row)
            text, since = self.standing.get(row, ((), time_))
            if now != text:
                if text:
                    self.taken.append((row, text, since, time_))
                self.standing[row] = (now, time_)

    def runs(self, row):
        """The line's characters as (column, style, text)."""
        runs = []
        for column in range(COLUMNS):
            char = self.screen.buffer[row][column]
            style = ("b " if char.bold else "") + ("" if char.fg == "default" else str(char.fg))
            if runs and runs[-1][1] == style:
                runs[-1][2] += char.data
            else:
                runs.append([column, style, char.data])
        return tuple((column, style, text.rstrip()) for column, style, text in runs if text.strip())

    def end(self):
        self.taken += [(row, text, since, None) for row, (text, since) in self.standing.items() if text]
        return self.taken


def play(film, command, folder, env):
    for typed in "$ " + command:
        film.feed(typed.encode(), film.time + 0.04)
    film.feed(b"\r\n", film.time + 0.5)
    began, offset = time.monotonic(), film.time
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    child = subprocess.Popen(["sh", "-c", command], cwd=folder, env=env, stdin=slave, stdout=slave, stderr=slave,
                             start_new_session=True)
    os.close(slave)
    while True:
        ready, _, _ = select.select([master], [], [], 0.05)
        try:
            data = os.read(master, 65536) if ready else b""
        except OSError:
            break
        if data:
            film.feed(data, offset + time.monotonic() - began)
        elif ready or child.poll() is not None:
            break
    if child.wait() != 0:
        sys.exit(f"{command} ended with {child.returncode}")
    film.feed(b"\r\n", offset + time.monotonic() - began + 1.5)


def draw(taken):
    rows = max(row for row, *_ in taken) + 1
    width, height = round(COLUMNS * CHAR + 2 * MARGIN), BAR + rows * LINE + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(TITLE)}</title>',
        f'<desc id="desc">{escape(". ".join(text for row, runs, _, to in sorted(taken) if to is None for _, _, text in runs))}</desc>',
        "<style>",
        "svg{--paper:#fbfbfa;--ink:#24292f;--edge:#d0d7de;--dim:#59636e}",
        "@media(prefers-color-scheme:dark){svg{--paper:#161b22;--ink:#e6edf3;--edge:#3d444d;--dim:#9198a1}}",
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:var(--ink);"
        "white-space:pre}",
        ".b{font-weight:700}.red{fill:#c4432b}.green{fill:#2f8f46}.yellow,.brown{fill:#9a6700}.title{fill:var(--dim)}",
        "@keyframes come{from{opacity:0}to{opacity:1}}@keyframes go{from{opacity:1}to{opacity:0}}",
        # What goes is hidden where nothing moves.
        ".gone{opacity:0}",
        "@media(prefers-reduced-motion:no-preference){.t{animation:come 1ms linear both}"
        ".gone{animation:come 1ms linear forwards,go 1ms linear forwards}}",
        "</style>",
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8" fill="var(--paper)" stroke="var(--edge)"/>',
        f'<text class="title" x="{width / 2}" y="22" text-anchor="middle">{escape(TITLE)}</text>',
    ]
    for row, runs, since, to in sorted(taken, key=lambda item: item[2]):
        if to is not None and to - since < 0.02:
            continue
        y = BAR + (row + 1) * LINE
        kind, delay = ("t", f"{since:.2f}s") if to is None else ("gone", f"{since:.2f}s,{to:.2f}s")
        out.append(f'<g class="{kind}" style="animation-delay:{delay}">')
        for column, style, text in runs:
            css = f' class="{style.strip()}"' if style.strip() else ""
            length = f' textLength="{len(text) * CHAR:.1f}" lengthAdjust="spacingAndGlyphs"'
            out.append(f'<text{css} x="{MARGIN + column * CHAR:.1f}" y="{y}"{length} xml:space="preserve">{escape(text)}</text>')
        out.append("</g>")
    return "\n".join([*out, "</svg>", ""])


def main():
    binary = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/debug/kvsweep").resolve()
    film = Film()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "samples", Path(folder, "samples"))
        env = {"PATH": f"{binary.parent}:{os.environ['PATH']}", "TERM": "xterm-256color", "HOME": folder, "LANG": "C.UTF-8"}
        for command in COMMANDS:
            play(film, command, folder, env)
    film.feed(b"$ ", film.time + 0.5)
    (ROOT / "docs/session.svg").write_text(draw(film.end()), encoding="utf-8")


main()
