#!/usr/bin/env node
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const platform = `${process.platform}-${process.arch}`;

function fail(error, hint) {
  process.stderr.write(`error: ${error}\nhint: ${hint}\n`);
  // 1 is kvsweep's own code for an unexpected error.
  process.exit(1);
}

function binary() {
  const { optionalDependencies = {} } = require("./package.json");
  const name = `@kvsweep/${platform}`;
  if (!(name in optionalDependencies)) {
    const known = Object.keys(optionalDependencies).map((name) => name.split("/")[1]);
    fail(
      `kvsweep has no binary for ${platform}, only for ${known.join(", ")}`,
      "build it from source: cargo install kvsweep",
    );
  }
  try {
    return require.resolve(`${name}/kvsweep`);
  } catch {
    fail(
      `the package ${name}, which contains the binary, is not installed`,
      "npm leaves it out with --omit=optional and --no-optional: install kvsweep again without them",
    );
  }
}

const args = process.argv.slice(2);
const path = binary();

// Replacing this process is the only way to pass on everything. Node has it since 22.15 and 23.11.
if (process.execve) {
  // Node warns that the call is experimental. The user's terminal is no place for that.
  process.removeAllListeners("warning");
  process.execve(path, ["kvsweep", ...args], process.env);
}

const child = spawn(path, args, { stdio: "inherit" });
child.on("error", (error) => fail(`cannot start ${path}: ${error.message}`, "install kvsweep again"));

// A terminal sends SIGINT and SIGHUP to both processes, and a second SIGINT would end kvsweep at once. Without a terminal they
// were sent to this process alone, as SIGTERM always is.
const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal === "SIGTERM" || !hasTerminal) child.kill(signal);
  });
}

child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  // As a shell reports a process that a signal ended.
  process.exit(128 + constants.signals[signal]);
});
