"""The engine opens no chain under a ruleset whose numbers are not the contracts', and believes no constants but those
that hash to what the contract says."""

import json
from pathlib import Path

import pytest

from bo_engine.errors import EXIT_FAILED, EXIT_USAGE, InvariantBroken
from bo_engine.units import DayId, day_of, day_start
from core.lottery.ruleset import parse_ruleset, ruleset_hash
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.constants import built_constants
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused
from tests.support.voiding import act

pytestmark = pytest.mark.world


def other_ruleset(played: PlayedWorld, **changed: object) -> Path:
    """A file with the world's ruleset, changed."""
    document = json.loads(Path(played.env["RULESET_FILES"]).read_text())
    path = played.folder / "other-ruleset.json"
    path.write_text(json.dumps({**document, **changed}))
    return path


def both_files(played: PlayedWorld, path: Path) -> str:
    """RULESET_FILES with one more."""
    return f"{played.env['RULESET_FILES']},{path}"


def test_the_chains_constants_are_those_of_abi_and_its_own_range(played: PlayedWorld) -> None:
    with played.context() as context:
        assert context.game.constants == built_constants(9)


def test_a_file_whose_fee_is_not_the_contracts_stops_every_command(played: PlayedWorld) -> None:
    path = other_ruleset(played, fee_bps=2500)
    for command in (("settle",), ("refresh-seeds",), ("contracts", "check")):
        refusal = refused(
            played, *command, code="ruleset_differs", exit_code=EXIT_USAGE, RULESET_FILES=both_files(played, path)
        )
        assert f"{path}: fee_bps is 2500, the contracts have 2750" in refusal.message


def test_a_ruleset_in_force_for_another_range_is_refused_when_the_chain_is_opened(played: PlayedWorld) -> None:
    path = other_ruleset(played, number_max=10)
    day = DayId(day_of(played.chain.now()) + 8)
    new_hash = ruleset_hash(parse_ruleset(json.loads(path.read_text())))
    act(played, "owner", "GameManager", "scheduleRuleset", new_hash, day)
    played.chain.finalize()
    files = both_files(played, path)
    with played.context(RULESET_FILES=files):
        pass  # it is not in force yet
    played.chain.advance_to(day_start(day))
    played.chain.finalize()
    refusal = refused(played, "settle", code="ruleset_differs", exit_code=EXIT_USAGE, RULESET_FILES=files)
    assert refusal.message.startswith(f"the ruleset of day {day}: number_max is 10, the contracts have 9")
    checked = played.cli("contracts", "check", "--json", RULESET_FILES=files)
    (line,) = [one for one in json.loads(checked.stdout)["checks"] if one["name"] == "game constants"]
    assert (checked.code, line["verdict"]) == (EXIT_FAILED, "wrong")
    assert line["found"] == "number_max is 10, the contracts have 9"


def test_constants_that_do_not_hash_to_what_the_contract_says_are_not_believed(played: PlayedWorld) -> None:
    selector = "0x" + codec("GameTreasury").selector("constants").hex()
    played.world.proxy.fail("wrong_call", "eth_call", selector=selector)
    with pytest.raises(InvariantBroken) as alone, played.context():
        pass
    assert alone.value.code == "rpc_disagreement"
    with pytest.raises(InvariantBroken) as both, played.context(RPC_URL=played.world.proxy.url):
        pass
    assert both.value.code == "constants_differ"
