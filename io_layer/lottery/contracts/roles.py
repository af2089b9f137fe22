"""What Roles says of its five offices at a final block."""

from bo_engine.units import ZERO_WALLET, Wallet, parse_wallet
from core.lottery.notices import OFFICES, Naming, Office, Window
from io_layer.rpc.reader import Block, Call, ChainReader


def read_offices(chain: ChainReader, block: Block, roles: Wallet) -> dict[str, Office]:
    """Each office by its name: holder, suspension, named successor. An expired naming still stands there."""
    numbers = range(len(OFFICES))
    answers = chain.read(
        block,
        [
            *(Call("Roles", roles, "holderOf", (number,)) for number in numbers),
            *(Call("Roles", roles, "naming", (number,)) for number in numbers),
        ],
    )
    holders = [parse_wallet(each) for each in answers[: len(OFFICES)]]
    suspended = chain.read(block, [Call("Roles", roles, "isSuspended", (holder,)) for holder in holders])
    return {
        name: Office(name, holder, bool(is_suspended), _naming(*named))
        for name, holder, is_suspended, named in zip(OFFICES, holders, suspended, answers[len(OFFICES) :], strict=True)
    }


def _naming(account: str, not_before: int, not_after: int) -> Naming | None:
    wallet = parse_wallet(account)
    return None if wallet == ZERO_WALLET else Naming(wallet, Window(not_before, not_after))
