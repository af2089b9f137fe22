#!/usr/bin/env node
// Lets forge use npm's solc: it answers `--version` and `--standard-json`, the only two things that forge asks for.
"use strict";

const solc = require("solc");

if (process.argv.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else {
  process.stdout.write(solc.compile(require("node:fs").readFileSync(0, "utf8")));
}
