#!/usr/bin/env node
// Compiles contracts/src with the pinned solc and writes abi/<product>/<Name>.json, abi/lottery/constants.json and
// abi/build.json, always the same bytes.
// Usage: node contracts/build.js [output folder]          (default: ../abi, seen from this file)
"use strict";

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

const ROOT = __dirname;
const MODULES = path.join(ROOT, "node_modules");
const MULTICALL3 = "@chainlink/contracts/src/v0.8/vendor/multicall/ebd8b64/src/Multicall3.sol";

// What is written to abi/, by product, and where it is defined.
const LOTTERY = {
  AffiliateVault: "src/lottery/AffiliateVault.sol",
  CharityVault: "src/lottery/CharityVault.sol",
  ClaimRouter: "src/lottery/ClaimRouter.sol",
  GameManager: "src/lottery/GameManager.sol",
  GameTreasury: "src/lottery/GameTreasury.sol",
  PrizeVault: "src/lottery/PrizeVault.sol",
  ReserveVault: "src/lottery/ReserveVault.sol",
  Roles: "src/lottery/Roles.sol",
  SettlementV4: "src/lottery/SettlementV4.sol",
  TestCoordinator: "src/lottery/test/TestCoordinator.sol",
  VRFReceiver: "src/lottery/VRFReceiver.sol",
};
const SHARED = {
  IERC20: "@openzeppelin/contracts/token/ERC20/IERC20.sol",
  IERC20Metadata: "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol",
  Multicall3: MULTICALL3,
  TestUSDT: "src/shared/test/TestUSDT.sol",
};
const PRODUCTS = { lottery: LOTTERY, shared: SHARED };
const FILES = [...Object.values(LOTTERY), ...Object.values(SHARED)];

const SETTINGS = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 200 },
  viaIR: false,
  // The hash of the metadata would change the bytecode with every comment.
  metadata: { bytecodeHash: "none" },
};

// EIP-170: no chain accepts more.
const MAX_CODE_BYTES = 24576;

// Chainlink imports OpenZeppelin by version; npm installs each version under an alias.
function fileOf(name) {
  if (name.startsWith("src/")) return path.join(ROOT, name);
  return path.join(MODULES, name.replace(/^@openzeppelin\/contracts@([0-9.]+)\//, "@openzeppelin/contracts-$1/"));
}

// Canonical enough for our documents: keys sorted, no whitespace, ASCII strings and small integers only.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const pairs = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
    return `{${pairs.join(",")}}`;
  }
  return JSON.stringify(value);
}

function compile() {
  const read = {};
  const source = (name) => {
    read[name] = fs.readFileSync(fileOf(name), "utf8");
    return read[name];
  };
  const sources = {};
  for (const name of new Set(FILES)) sources[name] = { content: source(name) };
  const wanted = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"];
  const output = { "*": { "*": [...wanted, "evm.deployedBytecode.immutableReferences"], "": ["ast"] } };
  const input = { language: "Solidity", sources, settings: { ...SETTINGS, outputSelection: output } };
  const found = (name) => {
    try {
      return { contents: source(name) };
    } catch (error) {
      return { error: error.code };
    }
  };
  const result = JSON.parse(solc.compile(JSON.stringify(input), { import: found }));
  const ours = (result.errors || []).filter((e) => e.severity === "error" || /^src\//.test(e.sourceLocation?.file));
  for (const error of ours) process.stderr.write(error.formattedMessage);
  // A warning in our own sources fails the build: nobody reads warnings that pass.
  if (ours.length > 0) process.exit(1);
  return { contracts: result.contracts, asts: Object.values(result.sources).map((built) => built.ast), read };
}

// What the chain must hold, apart from the immutables: the compiler leaves them zero, the constructor fills them in.
// Each immutable is a list of the places (32 bytes from there) that hold its one value.
function runtimeOf({ object, immutableReferences }) {
  const immutables = Object.values(immutableReferences || {}).map((places) =>
    places.map(({ start, length }) => {
      if (length !== 32) throw new Error(`an immutable of ${length} bytes`);
      return start;
    }),
  );
  return { immutables, sha256: createHash("sha256").update(Buffer.from(object, "hex")).digest("hex") };
}

// The game constants by their names in GameTreasury.constants(), read from the compiler's syntax tree: for whoever has
// no chain to ask. What a deployment chooses (an immutable) is left out.
function gameConstants(asts) {
  const declared = new Map();
  for (const ast of asts) {
    const parts = ast.nodes.flatMap((node) => [node, ...(node.nodes || [])]);
    for (const node of parts) if (node.nodeType === "VariableDeclaration") declared.set(node.id, node);
  }
  const treasury = asts.flatMap((ast) => ast.nodes).find((node) => node.name === "GameTreasury");
  const reader = treasury.nodes.find((node) => node.nodeType === "FunctionDefinition" && node.name === "constants");
  const valueOf = (node) => {
    if (node.nodeType === "TupleExpression") return node.components.map(valueOf);
    const { constant, value, name } = declared.get(node.referencedDeclaration) || {};
    if (name !== undefined && !constant) return undefined;
    if (!value || value.nodeType !== "Literal" || value.subdenomination || !/^[0-9_]+$/.test(value.value))
      throw new Error(`${name || node.nodeType} in GameTreasury.constants() is no plain number`);
    return Number(value.value.replaceAll("_", ""));
  };
  const { names, arguments: given } = reader.body.statements[0].expression;
  const found = names.map((name, place) => [name, valueOf(given[place])]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

function main() {
  const target = path.resolve(process.argv[2] || path.join(ROOT, "..", "abi"));
  const { contracts, asts, read } = compile();
  const write = (name, value) => fs.writeFileSync(path.join(target, `${name}.json`), canonical(value) + "\n");
  const codeBytes = {};
  for (const [product, files] of Object.entries(PRODUCTS)) {
    fs.mkdirSync(path.join(target, product), { recursive: true });
    for (const [name, file] of Object.entries(files)) {
      const built = contracts[file][name];
      const size = built.evm.deployedBytecode.object.length / 2;
      if (size > MAX_CODE_BYTES) throw new Error(`${name} has ${size} bytes, over ${MAX_CODE_BYTES}`);
      codeBytes[name] = size;
      const runtime = runtimeOf(built.evm.deployedBytecode);
      const bytecode = "0x" + built.evm.bytecode.object;
      write(`${product}/${name}`, { contractName: name, abi: built.abi, bytecode, runtime });
    }
  }
  write("lottery/constants", gameConstants(asts));
  const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");
  const sources = Object.fromEntries(Object.entries(read).map(([name, text]) => [name, sha256(text)]));
  write("build", { codeBytes, settings: SETTINGS, solc: solc.version(), sources });
  process.stdout.write(`${FILES.length} contracts\n`);
}

main();
