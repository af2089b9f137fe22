#!/usr/bin/env node
// Compiles Chainlink's real VRF coordinator for Coordinator.t.sol and writes VRFCoordinatorV2_5.json beside it. The
// source is the package's, byte for byte but for its pragma: that pins a compiler which forge would have to have besides
// ours.
// Usage: node contracts/test/lottery/chainlink.js [output file]
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

const MODULES = path.join(__dirname, "..", "..", "node_modules");
const NAME = "VRFCoordinatorV2_5";
const FILE = `@chainlink/contracts/src/v0.8/vrf/dev/${NAME}.sol`;
const PRAGMA = "pragma solidity 0.8.19;";

function source(name) {
  const file = name.replace(/^@openzeppelin\/contracts@([0-9.]+)\//, "@openzeppelin/contracts-$1/");
  const text = fs.readFileSync(path.join(MODULES, file), "utf8");
  if (name === FILE && !text.includes(PRAGMA)) throw new Error(`${FILE} has another pragma`);
  return name === FILE ? text.replace(PRAGMA, "") : text;
}

const input = {
  language: "Solidity",
  sources: { [FILE]: { content: source(FILE) } },
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none" },
    outputSelection: { [FILE]: { [NAME]: ["evm.bytecode.object"] } },
  },
};
const result = JSON.parse(solc.compile(JSON.stringify(input), { import: (name) => ({ contents: source(name) }) }));
for (const error of result.errors || []) if (error.severity === "error") throw new Error(error.formattedMessage);
const bytecode = "0x" + result.contracts[FILE][NAME].evm.bytecode.object;
const target = process.argv[2] || path.join(__dirname, `${NAME}.json`);
fs.writeFileSync(target, JSON.stringify({ bytecode, contractName: NAME, source: FILE }) + "\n");
