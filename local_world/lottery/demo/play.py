"""The play: a week of the lottery.

Day 1 is settled command by command, day 2 sells no ticket, day 3 is settled by the lines of the crontab alone, day 4 is
voided because its VRF word never comes, day 5 goes on, days 6 and 7 sell nothing. People, the App, Chainlink and the
chain's clock are played here; all that the engine does is done by its own command line.
"""

import random
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import InvariantBroken, require_invariant
from bo_engine.units import Bps, DayId, Wallet, day_end, day_start
from io_layer.contracts.codec import codec
from io_layer.postgres.connection import Conn
from local_world.chain import CHAIN_ID
from local_world.chain_account import ChainAccount
from local_world.cron import Cron, JobRun
from local_world.engine_cli import EngineCli
from local_world.lottery.app import App, Sale
from local_world.lottery.bank import Bank
from local_world.lottery.chain_view import ChainView
from local_world.lottery.claims import (
    COMMISSIONS,
    PRIZES,
    Claim,
    ClaimBook,
    Claimer,
    forge,
    load_claims,
    parse_proof_answer,
)
from local_world.lottery.day_facts import (
    Check,
    SettledDay,
    VoidedDay,
    check_day,
    check_pots,
    check_sequence,
    check_voided_day,
    read_settled_day,
    read_voided_day,
)
from local_world.lottery.demo.audit import check_intents, check_purses, read_money
from local_world.lottery.demo.verification import verify_days
from local_world.lottery.money import MoneyFlow
from local_world.lottery.night import Night
from local_world.lottery.players import Order, Person, Way, make_affiliates, make_orders, make_players
from local_world.lottery.world import World
from local_world.story import Story

NUMBER_MAX: Final = 9  # so few that every tier happens by itself
STEPS: Final = 45
_DAYS: Final = 7
_PLAYERS: Final = 64
_LATECOMERS: Final = 6  # who buy nothing on the first day
_FEW: Final = 12  # who buy on the later days
_AFFILIATES: Final = 4
_SPECIAL_RATES_BPS: Final = (Bps(1000), Bps(750))  # of the first two affiliates; a raise takes three days' notice
_MIN_TIPS: Final = 1_000  # of each large day
_SALE_TIMES: Final = {"08:00": 28_800, "12:30": 45_000, "18:00": 64_800, "23:50": 85_800}
_TRIES: Final = 10
_UNCLAIMED: Final = 3  # winners of the fifth day who have not come yet: prizes never expire
_VOID_AFTER_S: Final = 3 * 86_400  # a day without its VRF word: OWNER may void it so long after its close


@dataclass(frozen=True, slots=True)
class Played:
    """All that happened, for the summary and for ``--json``."""

    days: tuple[SettledDay, ...]
    voided: VoidedDay
    people: Mapping[Wallet, Person]
    sales: tuple[Sale, ...]
    book: ClaimBook
    money: MoneyFlow
    checks: tuple[Check, ...]
    recovered_intents: int
    adopted_tickets: int
    cron: tuple[JobRun, ...]  # what the third night's jobs did

    @property
    def in_order(self) -> list[SettledDay | VoidedDay]:
        """All days, oldest first."""
        return sorted((*self.days, self.voided), key=lambda day: day.day_id)


class Demo:
    """One performance in one world."""

    def __init__(self, world: World, app_conn: Conn, story: Story) -> None:
        self._world = world
        self._story = story
        self._chain = world.chain
        self._contracts = world.contracts
        self._view = ChainView(self._chain, self._contracts)
        self._cli = EngineCli(world.env_file)
        self._cron = Cron(world.env_file, Path(world.env["LOGS_DIR"]))
        self._night = Night(world, self._view, story, self._cron)
        self._conn = app_conn
        self._app = App(app_conn, self._chain, self._contracts, self._account("relayer"))
        self._bank = Bank(self._chain, self._contracts, self._account("promotions"))
        self._book = ClaimBook()
        self._claimer = Claimer(self._view, self._book)
        # The system's randomness decides what people buy; it has no seed that anybody could choose.
        self._rng: random.Random = secrets.SystemRandom()
        self._sales: list[Sale] = []
        self._days: list[SettledDay] = []
        self._outcomes: dict[DayId, dict[str, Any]] = {}  # of the last run of settle
        self._recovered = 0
        self._adopted = 0

    def play(self) -> Played:
        """Play the week and look for every atom afterwards.

        Raises: EngineError when any part, or any check of the end, does not hold.
        """
        first, second, third, fourth, fifth, *rest = (DayId(self._world.first_day + place) for place in range(_DAYS))
        affiliates, players = self._gather()
        self._sell_day(first, players[:-_LATECOMERS], (Way.CRASHED, Way.DIRECT))
        self._draw(first)
        self._settle(first)
        self._claim(first, with_wrong_ones=True)

        self._pass_empty_day(second)
        self._settle(second)

        self._sell_day(third, players, ())
        self._night.settle(third)
        self._days.append(read_settled_day(self._artifacts, self._night.outcome(third)))
        self._claim(third)
        self._night.finish(third)

        self._sell_day(fourth, players[:_FEW], (), min_tips=0)
        self._close_without_word(fourth)
        self._sell_day(fifth, players[-_FEW:], (), min_tips=0)
        self._draw(fifth)
        voided = self._void(fourth)
        self._settle_rest([fifth, *rest])
        self._claim(fifth, leave=_UNCLAIMED)

        people = {person.wallet: person for person in (*affiliates, *players)}
        money, checks = self._look_for_every_atom(people, voided)
        return Played(
            days=tuple(self._days),
            voided=voided,
            people=people,
            sales=tuple(self._sales),
            book=self._book,
            money=money,
            checks=checks,
            recovered_intents=self._recovered,
            adopted_tickets=self._adopted,
            cron=tuple(self._cron.runs),
        )

    # -- selling -----------------------------------------------------------------------------------------------------

    def _gather(self) -> tuple[list[Person], list[Person]]:
        with self._story.step("people come with fresh keys") as facts:
            affiliates = make_affiliates(_AFFILIATES)
            players = make_players(_PLAYERS, affiliates)
            self._bank.give_gas(person.wallet for person in (*affiliates, *players))
            owner = self._account("owner")
            for affiliate, rate in zip(affiliates, _SPECIAL_RATES_BPS, strict=False):
                arguments = (affiliate.wallet, rate, self._world.first_day + 3)
                data = codec("GameManager").call_data("setAffiliateRate", arguments)
                owner.execute(self._contracts.game_manager, data)
            facts += [
                f"{len(players)} players",
                f"{len(affiliates)} affiliates, two with a higher rate from the fourth day on",
            ]
        return affiliates, players

    def _sell_day(
        self, day_id: DayId, buyers: Sequence[Person], odd_ways: Sequence[Way], *, min_tips: int = _MIN_TIPS
    ) -> None:
        with self._story.step(f"day {day_id}: players fill their purses and sign approvals") as facts:
            orders = make_orders(self._rng, buyers, number_max=NUMBER_MAX, min_tips=min_tips, odd_ways=odd_ways)
            self._bank.equip(orders, self._world.ruleset.prices_atoms)
            facts.append(f"{len(orders)} tickets wanted")
        # A small day sells all of its tickets at once.
        times = _SALE_TIMES if min_tips else {"18:00": _SALE_TIMES["18:00"]}
        for place, (shown, second) in enumerate(times.items()):
            self._sell_at(day_id, shown, second, orders[place :: len(times)])

    def _sell_at(self, day_id: DayId, shown: str, second: int, orders: list[Order]) -> None:
        with self._story.step(f"day {day_id}, {shown}: tickets are sold") as facts:
            self._chain.advance_to(day_start(day_id) + second)
            sales = self._app.sell(orders)
            self._sales += sales
            facts.append(f"{len(sales)} tickets, {sum(sale.order.tip_count for sale in sales)} tips")
            ways = [sale.order.way for sale in sales]
            facts += ["one bought directly at the contract"] * ways.count(Way.DIRECT)
            facts += ["the App crashed once after sending"] * ways.count(Way.CRASHED)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _draw(self, day_id: DayId) -> None:
        with self._story.step(f"day {day_id} closes; recover-intents finds its tickets") as facts:
            self._chain.advance_to(day_end(day_id))
            facts.append(self._recover())
        with self._story.step(f"day {day_id}: refresh-seeds requests the VRF word, Chainlink answers"):
            self._request_word(day_id)
            self._world.fulfil_vrf(day_id)
        with self._story.step(f"day {day_id}: refresh-seeds collects the word and the drand beacon") as facts:
            drand = self._world.ruleset.drand
            _, requested_at_s, _ = self._view.ask("VRFReceiver", "requestOf", day_id)
            self._chain.advance_to(requested_at_s + drand.delay_s + 2 * drand.period_s)
            self._collect_seeds(day_id)
            facts.append("both verified")

    def _request_word(self, day_id: DayId) -> None:
        for _ in range(_TRIES):
            # It answers 75 (try again later) also when all is well: the word is asked for and not here yet.
            self._cli.run("refresh-seeds")
            _, requested_at_s, _ = self._view.ask("VRFReceiver", "requestOf", day_id)
            if requested_at_s:
                return
        raise InvariantBroken("seed_not_requested", f"refresh-seeds has not requested the VRF word of day {day_id}")

    def _collect_seeds(self, day_id: DayId) -> None:
        for _ in range(_TRIES):
            # It answers 75 while any day lacks a seed, also another one.
            waiting = {each["day_id"] for each in self._cli.run("refresh-seeds")["waiting"]}
            if day_id not in waiting:
                return
        raise InvariantBroken("seeds_missing", f"refresh-seeds has not collected the seeds of day {day_id}")

    def _recover(self) -> str:
        done = self._cli.run_until_done("recover-intents")
        self._recovered += int(done["recovered"])
        self._adopted += int(done["adopted"])
        parts = [f"{done['tickets_added']} tickets"]
        parts += [f"{done['recovered']} whose transaction hash was lost"] if done["recovered"] else []
        parts += [f"{done['adopted']} that no intent knew"] if done["adopted"] else []
        return ", ".join(parts)

    def _pass_empty_day(self, day_id: DayId) -> None:
        with self._story.step(f"day {day_id}: no ticket is sold; it closes and needs no seeds") as facts:
            self._chain.advance_to(day_end(day_id) + self._world.ruleset.drand.delay_s)
            self._recover()
            seeds = self._cli.run_until_done("refresh-seeds")
            require_invariant(
                not seeds["requested"], "seed_requested", f"day {day_id} has no tips but asked for a seed"
            )
            facts.append("settled all the same")

    # -- voiding -----------------------------------------------------------------------------------------------------

    def _close_without_word(self, day_id: DayId) -> None:
        with self._story.step(f"day {day_id} closes; its VRF word is requested and never comes") as facts:
            self._chain.advance_to(day_end(day_id))
            facts.append(self._recover())
            self._request_word(day_id)

    def _void(self, day_id: DayId) -> VoidedDay:
        with self._story.step(f"day {day_id}: three days later void-plan says that the owner may void it") as facts:
            self._chain.advance_to(day_end(day_id) + _VOID_AFTER_S)
            plan = self._cli.run("void-plan", "--day", str(day_id))
            require_invariant(plan["allowed_to"] is not None, "not_voidable", str(plan["why_not"]))
            self._account("owner").execute(self._contracts.settlement, bytes.fromhex(plan["calldata"][2:]))
            facts.append("its multisig signs the call")
        with self._story.step(f"day {day_id}: every buyer is refunded, the vouchers go back") as facts:
            return self._refund(day_id, facts)

    def _refund(self, day_id: DayId, facts: list[str]) -> VoidedDay:
        sales = [sale for sale in self._sales if sale.ticket.day_id == day_id]
        nonces: dict[Wallet, list[bytes]] = defaultdict(list)
        for sale in sales:
            nonces[sale.ticket.buyer].append(sale.event.nonce)
        before = self._view.ask("ReserveVault", "held")
        self._claimer.refund_many(self._bank.faucet, nonces)
        refunded = before - self._view.ask("ReserveVault", "held")
        vouchers = codec("ReserveVault").call_data("refundVouchers", (day_id,))
        self._bank.faucet.execute(self._contracts.reserve_vault, vouchers)
        returned = before - refunded - self._view.ask("ReserveVault", "held")
        outcome = self._settle_once(day_id)
        require_invariant(outcome["status"] == "VOIDED", "not_voided", f"day {day_id}: {outcome['status']}")
        self._cli.run_until_done("backfill-claim-events")
        facts += [f"{len(sales)} tickets of {len(nonces)} buyers", "a second refund is refused"]
        return read_voided_day(
            self._artifacts, day_id, tickets=len(sales), refunded=refunded, vouchers_refunded=returned
        )

    # -- settling ----------------------------------------------------------------------------------------------------

    def _settle(self, day_id: DayId) -> None:
        with self._story.step(f"day {day_id}: settle exports, computes, checks and commits"):
            self._settle_once(day_id)
            _, _, _, committed_at_s, *_ = self._view.ask("SettlementV4", "dayRecord", day_id)
            require_invariant(committed_at_s > 0, "not_committed", f"settle has not committed day {day_id}")
        with self._story.step(f"day {day_id}: the challenge period passes; settle releases") as facts:
            period_s = self._view.ask("SettlementV4", "challengePeriod")
            self._chain.advance_to(committed_at_s + period_s + 1)
            outcome = self._settle_once(day_id)
            require_invariant(outcome["status"] == "DONE", "not_settled", f"day {day_id}: {outcome.get('reason')}")
            day = read_settled_day(self._artifacts, outcome)
            self._days.append(day)
            facts.append(f"{len(day.result['payouts'])} wallets win")

    def _settle_rest(self, days: Sequence[DayId]) -> None:
        """Settle days that have waited: each run releases one and commits the next."""
        for day_id in days:
            with self._story.step(f"day {day_id}: settle goes on behind the voided day"):
                # The run that ended the day before has begun this one.
                outcome = self._outcomes[day_id] if day_id in self._outcomes else self._settle_once(day_id)
                while outcome["status"] != "DONE":
                    require_invariant(outcome["not_before"], "not_settled", f"day {day_id}: {outcome.get('reason')}")
                    self._chain.advance_to(outcome["not_before"] + 1)
                    outcome = self._settle_once(day_id)
                self._days.append(read_settled_day(self._artifacts, outcome))

    def _settle_once(self, day_id: DayId) -> dict[str, Any]:
        self._outcomes = {DayId(each["day_id"]): each for each in self._cli.run_until_done("settle")["days"]}
        require_invariant(day_id in self._outcomes, "not_settled", f"settle did not work on day {day_id}")
        return self._outcomes[day_id]

    # -- claiming ----------------------------------------------------------------------------------------------------

    def _claim(self, day_id: DayId, *, with_wrong_ones: bool = False, leave: int = 0) -> None:
        """The biggest winner and the biggest affiliate claim themselves, on the first day with the engine's own proofs;
        the others take theirs from the published files and go through the router together."""
        with self._story.step(f"day {day_id}: winners and affiliates claim") as facts:
            paid_before = len(self._book.paid)
            (folder,) = (day.folder for day in self._days if day.day_id == day_id)
            vaults = self._contracts
            prizes = load_claims(folder / "winners_merkle.json", PRIZES, day_id, CHAIN_ID, vaults.prize_vault)
            commissions = load_claims(
                folder / "affiliate_merkle.json", COMMISSIONS, day_id, CHAIN_ID, vaults.affiliate_vault
            )
            alone = [max(side, key=lambda claim: claim.amount_atoms) for side in (prizes, commissions) if side]
            for claim in alone:
                if with_wrong_ones:
                    self._check_proof(claim)
                self._claimer.claim(self._bank.faucet, claim)
            prizes_left = [claim for claim in prizes if claim not in alone]
            together = prizes_left[: len(prizes_left) - leave] + [each for each in commissions if each not in alone]
            forged = forge(together[0]) if with_wrong_ones else None
            self._claimer.claim_many(self._bank.faucet, together, forged=forged)
            if with_wrong_ones:
                self._claimer.try_again(self._bank.faucet, alone[0])
                facts.append("a second claim and a forged amount are refused")
            facts.insert(0, f"{len(self._book.paid) - paid_before} paid")

    def _check_proof(self, claim: Claim) -> None:
        answer = self._cli.run_until_done("proof", "--day", str(claim.day_id), "--wallet", claim.wallet)
        given = parse_proof_answer(answer).get(claim.vault)
        require_invariant(given == claim, "proof_differs", f"proof and files differ for {claim.wallet}")

    # -- the end -----------------------------------------------------------------------------------------------------

    def _look_for_every_atom(
        self, people: Mapping[Wallet, Person], voided: VoidedDay
    ) -> tuple[MoneyFlow, tuple[Check, ...]]:
        with self._story.step("fees, gas costs and charity are pulled from the vault") as facts:
            vault, charity_vault = codec("ReserveVault"), codec("CharityVault")
            for function in ("withdrawFees", "withdrawGas", "withdrawCharity"):
                self._bank.faucet.execute(self._contracts.reserve_vault, vault.call_data(function, ()))
            # Announced when the contracts were deployed, two days of notice ago.
            subject = bytes(12) + bytes.fromhex(self._contracts.charity[2:])
            self._bank.faucet.execute(self._contracts.charity_vault, charity_vault.call_data("execute", (subject,)))
            collected = self._view.balance_of(self._contracts.charity_vault)
            pay = charity_vault.call_data("pay", (self._contracts.charity, collected))
            self._account("owner").execute(self._contracts.charity_vault, pay)
            facts.append("anyone may do it, the money goes where it belongs")
        with self._story.step("the verifier, which shares no code with the engine, checks every day") as facts:
            urls = (self._world.env["RPC_URL"], self._world.env["RPC_FALLBACK_URL"])
            verified = list(verify_days([*self._days, voided], urls))
            facts.append("from the files alone, and against the chain")
        with self._story.step("every atom is looked for, every file compared with the chain") as facts:
            money = read_money(self._view, self._days, voided, self._sales, self._book)
            checks = [check for day in self._days for check in check_day(self._view, day)]
            checks += check_voided_day(self._view, voided)
            checks += check_sequence(self._view, self._days, voided)
            checks += check_pots(self._conn, self._days[-1])
            checks += check_intents(self._conn, self._sales)
            checks += check_purses(
                self._view, people, self._bank.minted, sales=self._sales, book=self._book, voided=voided
            )
            once = self._recovered == self._adopted == 1
            checks.append(Check("the purchase that the App lost is recovered, the direct one adopted", once))
            checks += verified
            checks.append(Check("stakes in = money found, and each place holds what the files say", money.adds_up))
            facts.append(f"{sum(check.holds for check in checks)} of {len(checks)} checks hold")
        return money, tuple(checks)

    @property
    def _artifacts(self) -> Path:
        return Path(self._world.env["ARTIFACTS_DIR"])

    def _account(self, role: str) -> ChainAccount:
        # A new one each time: owner's transactions are also sent by others, so its nonce is read again.
        return ChainAccount(self._chain, self._world.account(role))
