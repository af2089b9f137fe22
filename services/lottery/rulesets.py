"""Rulesets from files, each refused unless its numbers are the contracts' (see core/lottery/game_constants.py)."""

from pathlib import Path

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.strict_json import parse_json
from bo_engine.units import Hash32
from core.lottery.game_constants import GameConstants, require_same
from core.lottery.ruleset import RULESET_1, Ruleset, parse_ruleset, ruleset_hash
from io_layer.lottery.contracts.constants import built_constants


def load_rulesets(files: tuple[Path, ...]) -> dict[Hash32, Ruleset]:
    """Ruleset 1 and those in RULESET_FILES, by hash. Each is compared with the constants in abi/, all but its range of
    numbers, which is chosen by each deployment and compared with the chain's.

    Raises: UsageError ``bad_ruleset_file``, ``ruleset_differs``.
    """
    rulesets = {ruleset_hash(RULESET_1): RULESET_1}
    for path in files:
        ruleset = read_ruleset(path, "RULESET_FILES")
        rulesets[ruleset_hash(ruleset)] = ruleset
    return rulesets


def read_ruleset(path: Path, named_by: str) -> Ruleset:
    """The ruleset in a file, compared with the constants in abi/.

    ``named_by``: the setting or flag that names the file, for messages.
    Raises: UsageError ``bad_ruleset_file``, ``ruleset_differs``.
    """
    try:
        ruleset = parse_ruleset(parse_json(_read_file(path)))
    except OSError as error:
        raise UsageError("bad_ruleset_file", f"{named_by}: {path} cannot be read") from error
    except (ValueError, InvalidInput) as error:
        raise UsageError("bad_ruleset_file", f"{named_by}: {path}: {error}") from error
    require_ruleset(ruleset, built_constants(ruleset.number_max), f"{named_by}: {path}")
    return ruleset


def require_ruleset(ruleset: Ruleset, constants: GameConstants, where: str) -> None:
    """Refuse a ruleset that differs from the contracts. ``where``: what names it, for the message.

    Raises: UsageError ``ruleset_differs``, every field named.
    """
    try:
        require_same(ruleset, constants)
    except InvalidInput as error:
        raise UsageError(error.code, f"{where}: {error.message}: no day can be settled under it") from error


def ruleset_to_schedule(path: Path, constants: GameConstants) -> Hash32:
    """The hash that OWNER schedules for the ruleset in a file, after it was compared with the chain's constants.

    Raises: UsageError ``bad_ruleset_file``, ``ruleset_differs``.
    """
    ruleset = read_ruleset(path, "--schedule-ruleset")
    require_ruleset(ruleset, constants, f"--schedule-ruleset: {path}")
    return ruleset_hash(ruleset)


def _read_file(path: Path) -> str:
    # A pipe under that name would hold the run for ever.
    if not path.is_file():
        raise OSError(f"{path} is no file")
    return path.read_text(encoding="utf-8")
