#!/usr/bin/env node
// Prints the compiler's input for slither: contracts/src without test tokens, and all that it imports.
// Usage: node contracts/slither.js > input.json
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const REMAPPINGS = ["@openzeppelin/=node_modules/@openzeppelin/", "@chainlink/=node_modules/@chainlink/"];

function resolve(name, from) {
  if (name.startsWith(".")) return path.posix.join(path.posix.dirname(from), name);
  return name.startsWith("@") ? `node_modules/${name}` : name;
}

const sources = {};
const add = (name) => {
  if (sources[name]) return;
  const content = fs.readFileSync(path.join(__dirname, name), "utf8");
  sources[name] = { content };
  for (const [, found] of content.matchAll(/^import[^;]*?"([^"]+)";/gms)) add(resolve(found, name));
};
for (const product of ["lottery", "shared"])
  for (const file of fs.readdirSync(path.join(__dirname, "src", product)).sort())
    if (file.endsWith(".sol")) add(`src/${product}/${file}`);

const settings = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 200 },
  remappings: REMAPPINGS,
  outputSelection: { "*": { "*": ["abi", "evm.bytecode", "evm.deployedBytecode", "userdoc", "devdoc"], "": ["ast"] } },
};
process.stdout.write(JSON.stringify({ language: "Solidity", sources, settings }));
