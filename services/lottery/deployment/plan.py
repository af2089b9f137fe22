"""What a deployment would do, looked at before anything is signed: addresses, gas, cost, and each rule."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import abi
from bo_engine.errors import Unavailable, UsageError
from bo_engine.keccak import keccak256
from bo_engine.settings import Settings
from bo_engine.units import Hash32, Wallet, day_of, hex_of
from core.deployment.creations import ASKS_PARTNERS, CREATIONS, constructor_arguments, creation_addresses
from core.deployment.terms import FIRST_DAY_AHEAD, DeployTerms
from core.lottery.ruleset import Ruleset
from io_layer.contracts.code import USDT_DECIMALS
from io_layer.contracts.codec import codec
from io_layer.contracts.creation import estimate_creation, read_codes_at_heads
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI
from io_layer.lottery.contracts.constants import built_constants
from io_layer.lottery.deployment_file import Record, read_record, record_path
from io_layer.rpc.connect import open_chain
from io_layer.rpc.reader import Block, Call, ChainReader
from io_layer.rpc.sender import read_balance_wei, read_base_fees, read_head_nonces, read_pending_nonce
from services.deployment.checklist import Checklist, Verdict
from services.lottery.deployment.checks.contracts import check_endpoints
from services.lottery.deployment.checks.deployment import Installation, check_constants
from services.lottery.deployment.checks.surroundings import check_key_hash
from services.lottery.rulesets import load_rulesets

#: What is offered for a unit of gas; on Arbitrum only the base fee is charged, so room costs nothing.
FEE_ROOM = 4
_SLOTS = 8  # storage that a constructor writes, about
_CREATE_GAS, _BYTE_GAS, _DATA_GAS, _SLOT_GAS = 53_000, 200, 16, 22_100


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment, begun or not. ``gas``: an estimate for each contract that does not stand yet."""

    chain: ChainReader
    block: Block
    rulesets: Mapping[Hash32, Ruleset]
    path: Path
    record: Record
    is_new: bool
    at: Mapping[str, Wallet]
    creations: Mapping[str, bytes]
    gas: Mapping[str, int]
    max_fee_per_gas: int
    balance_wei: int
    lines: Checklist

    @property
    def cost_wei(self) -> int:
        """What the rest may cost at most, at the fee that is offered now."""
        return sum(self.gas.values()) * self.max_fee_per_gas

    def document(self) -> dict[str, Any]:
        """The plan for people and programs."""
        record = self.record
        rows = [
            {
                "contract": name,
                "nonce": record.first_nonce + place,
                "address": self.at[key],
                "state": "stands" if key not in self.gas else "signed" if record.signed.get(key) else "to create",
                "gas": self.gas.get(key),
            }
            for place, (key, name) in enumerate(CREATIONS)
        ]
        return {
            "chain_id": record.terms.chain_id,
            "deployer": record.deployer,
            "record": str(self.path),
            "begun": not self.is_new,
            "creations": rows,
            "max_fee_per_gas": str(self.max_fee_per_gas),
            "balance_wei": str(self.balance_wei),
            "cost_wei_at_most": str(self.cost_wei),
            "checks": self.lines.document(),
        }


def plan_deployment(
    settings: Settings, terms_path: Path, terms: DeployTerms, *, deployer: Wallet, first_nonce: int | None
) -> Plan:
    """Look at everything; nothing is written or signed. Lines that do not hold are in ``lines``.

    Raises: UsageError ``wrong_chain``, ``plan_differs``, ``wrong_key``, ``other_chain``, ``deployer_used``,
    ``bad_nonce``; Unavailable ``nonce_in_flight`` and for endpoints that do not answer.
    """
    if settings.chain_id != terms.chain_id:
        raise UsageError(
            "wrong_chain", f"CHAIN_ID is {settings.chain_id}, but the deployment file is for chain {terms.chain_id}"
        )
    rulesets = load_rulesets(settings.ruleset_files)
    urls = (settings.rpc_url, settings.rpc_fallback_url)
    chain = open_chain(*urls, chain_id=settings.chain_id, says_local=settings.is_local)
    lines = Checklist()
    block = check_endpoints(lines, chain, urls)
    path = record_path(terms_path)
    found = read_record(path)
    if found is not None:
        _require_same(chain, found, path, terms, deployer=deployer, first_nonce=first_nonce)
    record = found or _new_record(chain, block, terms, deployer, first_nonce)
    at = creation_addresses(record.deployer, record.first_nonce)
    creations = _creations(terms, at)
    here = Installation(chain, block, {**at, "usdt": terms.money.usdt}, terms)
    missing = [(key, name) for key, name in CREATIONS if not all(read_codes_at_heads(chain, at[key]))]
    _check_terms(lines, here, terms, rulesets)
    _check_first_day(lines, here, terms, stands="game_manager" not in dict(missing))
    _check_accounts(lines, here, terms, record)
    gas = _estimate(lines, chain, record, missing, creations)
    base_fee = max(*read_base_fees(chain), 1)
    plan = Plan(
        chain=chain,
        block=block,
        rulesets=rulesets,
        path=path,
        record=record,
        is_new=found is None,
        at=at,
        creations=creations,
        gas=gas,
        max_fee_per_gas=min(FEE_ROOM * base_fee, MAX_FEE_PER_GAS_WEI),
        balance_wei=read_balance_wei(chain, record.deployer),
        lines=lines,
    )
    fee_rule = f"gas costs more than the engine ever offers ({MAX_FEE_PER_GAS_WEI} wei): wait"
    lines.add("price of gas", base_fee <= MAX_FEE_PER_GAS_WEI, f"base fee {base_fee} wei", fee_rule)
    said = f"{plan.balance_wei} wei, at most {plan.cost_wei} needed"
    lines.add("deployer's ether", plan.balance_wei >= plan.cost_wei, said, f"send ether to {record.deployer}")
    return plan


def _creations(terms: DeployTerms, at: Mapping[str, Wallet]) -> dict[str, bytes]:
    arguments = constructor_arguments(terms, at)
    return {key: codec(name).creation(arguments[key]) for key, name in CREATIONS}


def _code_hash(terms: DeployTerms, deployer: Wallet, first_nonce: int) -> Hash32:
    return Hash32(keccak256(b"".join(_creations(terms, creation_addresses(deployer, first_nonce)).values())))


def _require_same(
    chain: ChainReader, found: Record, path: Path, terms: DeployTerms, *, deployer: Wallet, first_nonce: int | None
) -> None:
    before, now = (
        {f"{table}.{name}": value for table in ("roles", "game", "money", "vrf") for name, value in of[table].items()}
        for of in (asdict(found.terms), asdict(terms))
    )
    changed = [name for name in now if now[name] != before[name]]
    if changed or found.terms != terms:
        raise UsageError(
            "plan_differs",
            f"this deployment was begun with other terms ({', '.join(changed) or 'chain_id'} changed since; {path} has "
            "them). Put them back, or deploy anew under another file name with a fresh key",
        )
    if found.code_hash != _code_hash(terms, found.deployer, found.first_nonce):
        raise UsageError(
            "plan_differs", "the contracts in abi/ were rebuilt since this deployment was begun: go on with that engine"
        )
    if found.deployer != deployer:
        raise UsageError("wrong_key", f"this deployment was begun by {found.deployer}, the key given is {deployer}")
    if first_nonce is not None and first_nonce != found.first_nonce:
        raise UsageError("bad_nonce", f"this deployment was begun with nonce {found.first_nonce}: leave the flag out")
    if chain.read_block(found.planned_block).block_hash != found.block_hash:
        raise UsageError("other_chain", f"{path} is of another chain with the same id: its block is not here")


def _new_record(
    chain: ChainReader, block: Block, terms: DeployTerms, deployer: Wallet, first_nonce: int | None
) -> Record:
    final_nonce = chain.read_final_nonce(block, deployer)
    highest = max(final_nonce, read_pending_nonce(chain, deployer), *read_head_nonces(chain, deployer))
    if first_nonce is None and highest > 0:
        # It may have deployed already: a record that was lost must not become a second set of contracts.
        raise UsageError(
            "deployer_used",
            f"the key {deployer} has sent {highest} transactions before, and no record of a deployment stands beside "
            f"the file. Take a fresh key; or say --first-nonce {highest} to begin with the next one, or the nonce with "
            "which a deployment began whose record is lost: then what stands is adopted",
        )
    nonce = first_nonce or 0
    if nonce == final_nonce < highest:
        raise Unavailable(
            "nonce_in_flight",
            f"{highest} transactions of {deployer} were sent and {final_nonce} of them are final: what they create is "
            "not known before all are; run it again then",
        )
    if nonce > final_nonce:
        raise UsageError(
            "bad_nonce", f"nonce {nonce} is not the next: {final_nonce} transactions of {deployer} are final"
        )
    return Record(
        terms=terms,
        code_hash=_code_hash(terms, deployer, nonce),
        deployer=deployer,
        first_nonce=nonce,
        planned_block=block.number,
        block_hash=block.block_hash,
        adopts=nonce < final_nonce,
    )


def _check_terms(lines: Checklist, here: Installation, terms: DeployTerms, rulesets: Mapping[Hash32, Ruleset]) -> None:
    game = terms.game
    ruleset = rulesets.get(game.ruleset_hash)
    todo = "unknown here: the built-in ruleset's is in the example file; others: RULESET_FILES"
    lines.add("ruleset", ruleset is not None, hex_of(game.ruleset_hash), todo)
    if ruleset is not None:
        rule = f"the ruleset says 1 to {ruleset.number_max}"
        holds = ruleset.number_max == game.number_max
        lines.add("range of numbers", holds, f"1 to {game.number_max}", rule)
        check_constants(lines, ruleset, built_constants(game.number_max))
    with lines.asking("USDT"):
        token = terms.money.usdt
        has_code = bool(here.chain.read_code(token, here.block))
        decimals = here.chain.read(here.block, [Call("IERC20Metadata", token, "decimals")])[0] if has_code else None
        said = f"{token}, {decimals} decimals" if has_code else f"{token}: no contract"
        lines.add("USDT", decimals == USDT_DECIMALS, said, f"the token must stand there, with {USDT_DECIMALS} decimals")
    with lines.asking("VRF coordinator"):
        has_code = bool(here.chain.read_code(terms.vrf.coordinator, here.block))
        said = f"{terms.vrf.coordinator}{'' if has_code else ': no contract'}"
        if lines.add("VRF coordinator", has_code, said, "look up its address at Chainlink"):
            # OWNER can announce another one, but 48 hours pass before it is in force.
            check_key_hash(lines, here, terms.vrf, otherwise=Verdict.WARNING)


def _check_first_day(lines: Checklist, here: Installation, terms: DeployTerms, *, stands: bool) -> None:
    """What GameManager's constructor asks of it, unless that contract stands already."""
    first, today = terms.game.first_day, day_of(here.block.timestamp_s)
    last = today + FIRST_DAY_AHEAD
    said = f"{first}, today is {today}"
    holds = stands or today <= first <= last
    lines.add("first day", holds, said, f"the contracts take a day from {today} (today) to {last} only")


def _check_accounts(lines: Checklist, here: Installation, terms: DeployTerms, record: Record) -> None:
    held = [name for name, wallet in asdict(terms.roles).items() if wallet == record.deployer and name != "owner"]
    said = ", ".join(held) or ("OWNER" if terms.roles.owner == record.deployer else "holds no role")
    lines.add("deployer", not held, f"{record.deployer}, {said}", "take a throw-away key, or OWNER's own")
    people = {**asdict(terms.roles), "fee_receiver": terms.money.fee_receiver, "gas_safe": terms.money.gas_safe}
    people |= {"charity": terms.money.charity, "heir": terms.money.heir}
    theirs = {terms.money.usdt, terms.vrf.coordinator, *here.at.values()}
    mixed = [name for name, wallet in people.items() if wallet in theirs]
    lines.add("accounts", not mixed, ", ".join(mixed) or "none is a contract of the game", "name another account")
    gains = [name for name, wallet in people.items() if wallet == terms.money.heir and name not in ("heir", "charity")]
    todo = "whoever can let a draw lapse must not gain by it: name a charity of its own"
    lines.add("heir", not gains, ", ".join([terms.money.heir, *gains]), todo, otherwise=Verdict.WARNING)
    with lines.asking("OWNER is a multisig"):
        is_multisig = here.chain.is_local or bool(here.chain.read_code(terms.roles.owner, here.block))
        said = "a contract or a local chain" if is_multisig else "a single key"
        lines.add(
            "OWNER is a multisig", is_multisig, said, "it names all others: use a multisig", otherwise=Verdict.WARNING
        )
    with lines.asking("SETTLER's key is fresh"):
        sent = here.chain.read_final_nonce(here.block, terms.roles.settler)
        todo = "what it has sent is unknown to an empty database and halts the first day: take a fresh key"
        lines.add("SETTLER's key is fresh", sent == 0, f"{sent} transactions", todo, otherwise=Verdict.WARNING)


def _estimate(
    lines: Checklist,
    chain: ChainReader,
    record: Record,
    missing: Sequence[tuple[str, str]],
    creations: Mapping[str, bytes],
) -> dict[str, int]:
    """Gas of what does not stand yet: as the endpoints say; for contracts that ask their partners, by comparison."""
    gas = {key: _rough_gas(name, creations[key]) for key, name in missing}
    asked = [key for key, _ in missing if key not in ASKS_PARTNERS]
    with lines.asking("constructors"):
        told = {key: estimate_creation(chain, record.deployer, creations[key]) for key in asked}
        lines.add("constructors", True, f"{len(told)} simulated, the others when their partners stand")
        if told:
            # What the chain adds (Arbitrum: a share for the parent chain) it adds to all.
            rough = sum(gas[key] for key in told)
            gas = {key: told.get(key, gas[key] * sum(told.values()) // rough) for key in gas}
    return {key: amount + amount // 2 for key, amount in gas.items()}


def _rough_gas(name: str, creation: bytes) -> int:
    size = int(abi.build_info()["codeBytes"][name])
    return _CREATE_GAS + _BYTE_GAS * size + _DATA_GAS * len(creation) + _SLOT_GAS * _SLOTS
