"""Gives people what they need before they can buy: gas money, test USDT, and the approval that they sign themselves."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from eth_account import Account

from bo_engine.units import Atoms, Wallet
from io_layer.contracts.codec import codec
from local_world.chain import Chain
from local_world.chain_account import ChainAccount
from local_world.lottery.app import gas_cost_of
from local_world.lottery.deploy import DeployedContracts
from local_world.lottery.players import Order

_POCKET_ATOMS: Final = 5_000_000  # so that nobody ends with an empty purse


class Bank:
    """Mints test USDT and remembers for whom, so that later every atom can be looked for."""

    def __init__(self, chain: Chain, contracts: DeployedContracts, promotions: ChainAccount) -> None:
        self._chain = chain
        self._usdt = contracts.usdt
        self._spender = contracts.reserve_vault
        self._promotions = promotions
        # An account of its own: those of the roles are used by others, who count their nonces themselves.
        self.faucet = ChainAccount(chain, Account.create())
        chain.fund(self.faucet.wallet)
        self.minted: Counter[Wallet] = Counter()

    def give_gas(self, wallets: Iterable[Wallet]) -> None:
        """Ether for transactions of one's own."""
        for wallet in wallets:
            self._chain.fund(wallet)

    def equip(self, orders: Sequence[Order], prices_atoms: Sequence[Atoms]) -> None:
        """Each buyer gets and approves what his orders cost, the promotions account what their voucher tips cost.

        Raises: InvariantBroken ``transaction_reverted``.
        """
        costs: Counter[Wallet] = Counter()
        accounts = {self._promotions.wallet: self._promotions}
        for order in orders:
            price = prices_atoms[order.pool_id]
            accounts.setdefault(order.buyer.wallet, ChainAccount(self._chain, order.buyer.account))
            costs[order.buyer.wallet] += price * order.paid_tips + gas_cost_of(order)
            costs[self._promotions.wallet] += price * order.voucher_tips
        for wallet, cost in costs.items():
            amount = cost + _POCKET_ATOMS
            self.minted[wallet] += amount
            self.faucet.execute(self._usdt, codec("TestUSDT").call_data("mint", (wallet, amount)))
            accounts[wallet].execute(self._usdt, codec("TestUSDT").call_data("approve", (self._spender, cost)))
