"""A world with a sold and closed day, brought back to that moment before each test.

The chain is reverted to a snapshot, the database is copied from a template, the files start in a new folder: each test
gets a day that is ready to be settled, in about a tenth of a second.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from bo_engine.settings import SETTINGS, Settings
from bo_engine.units import DayId, day_end, day_start
from io_layer.postgres.connection import connect
from local_world.chain_account import ChainAccount
from local_world.databases import with_database
from local_world.lottery.app import App
from local_world.lottery.bank import Bank
from local_world.lottery.players import Way, make_affiliates, make_orders, make_players
from local_world.lottery.world import World, start_world
from services.lottery.context import LotteryContext, open_lottery
from services.lottery.settlement.settle_days import DayOutcome, settle_days
from tests.support.canaries import (
    require_clean_database,
    require_clean_files,
    require_clean_texts,
    with_canaries,
)
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.warm_cli import Finished, WarmCli

_NOBODY = "0x" + "0b" * 20
_numbers = count(1)
_REPOSITORY = Path(__file__).resolve().parents[2]


class PlayedWorld:
    """A world and the way back to the moment when its first day was ready to be settled."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.chain = world.chain
        self.day: DayId = world.first_day
        self._snapshot = ""
        self._template = ""
        self._spare = ""
        self._height = 0
        self._copy = ""
        self._warm_cli: WarmCli | None = None
        self.env = with_canaries(world.env)

    # -- the way back ------------------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Make this moment the one that ``restore`` comes back to."""
        self._template = self.database_name
        self._height = self.chain.height()
        self._spare = self.chain.snapshot()
        self._snapshot = self.chain.snapshot()

    def restore(self, template: str | None = None) -> None:
        """Chain, database and files as they were; ``template`` names another database of the same moment."""
        self._revert()
        self.world.proxy.heal()
        self.world.primary_proxy.heal()
        if self._copy:
            self.run_as_admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self._copy)))
        name = f"copy_{next(_numbers)}_{self.world.record['id']}"
        self.run_as_admin(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or self._template)
            )
        )
        self._copy = name
        self.env = self.env_for(name, self.folder / name)
        if template is not None:
            # It was kept when the chain was longer: what it remembers of later blocks the revert has taken back.
            self.tamper("DELETE FROM event_cursors WHERE block_number > %(height)s", height=self._height)

    def _revert(self) -> None:
        self.chain.revert(self._snapshot)
        self._snapshot = self.chain.snapshot()
        for _ in range(3):
            # anvil forgets the state of blocks that were made some thousand blocks ago, and a reverted one does not
            # grow younger: the final block must be a new one. Not one of the same hash either: in the same second after
            # the same blocks it would be, and go with the first of that name.
            self.chain.fund(_NOBODY, next(_numbers))
            self.chain.mine(3)
            if self.chain.is_whole_since(self._height):
                return
            # Its block clock had a block of before in hand while it went back: those in between are missing.
            self.chain.revert(self._spare)
            self._spare, self._snapshot = self.chain.snapshot(), self.chain.snapshot()
        raise AssertionError("the chain cannot be brought back whole")

    def keep(self) -> str:
        """Keep the present database for ``restore(template)``; its name."""
        self._copy = ""
        return self.database_name

    def env_for(self, database: str, folder: Path) -> dict[str, str]:
        """The engine's settings for another database and another folder of files."""
        at = self.world.database
        folder.mkdir(parents=True, exist_ok=True)
        logins = self.world.record["logins"]
        (engine_login,) = (login for login in logins if login.endswith("_engine"))
        return {
            **with_canaries(self.world.env),
            "DATABASE_URL": with_database(at.owner_url, database, user=engine_login, password=logins[engine_login]),
            "MIGRATION_DATABASE_URL": with_database(at.owner_url, database),
            "ARTIFACTS_DIR": str(folder / "artifacts"),
            "LOGS_DIR": str(folder / "logs"),
        }

    @property
    def database_name(self) -> str:
        """The database that the engine works with now."""
        return psycopg.conninfo.conninfo_to_dict(self.env["DATABASE_URL"])["dbname"]  # type: ignore[return-value]

    def run_as_admin(self, statement: sql.Composed | sql.SQL) -> None:
        """One statement of the server's superuser."""
        with psycopg.connect(with_database(self.world.database.owner_url, "postgres"), autocommit=True) as conn:
            conn.execute(statement)

    def tamper(self, statement: str, **given: object) -> None:
        """Change rows behind the engine's back: a superuser with all triggers off."""
        with psycopg.connect(self.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
            conn.execute("SET session_replication_role = replica")
            conn.execute(statement.encode(), given or None)

    # -- the engine --------------------------------------------------------------------------------------------------

    @contextmanager
    def context(self, **changed: str) -> Iterator[LotteryContext]:
        """The engine in this process, with some settings changed."""
        with open_lottery(Settings({**self.env, **changed}), report=lambda _: None) as context:
            yield context

    def settle(self, day: DayId | None = None, **changed: str) -> list[DayOutcome]:
        """Settle in this process."""
        with self.context(**changed) as context:
            return settle_days(context, day=day)

    def settle_through(self) -> DayOutcome:
        """Settle the first day to its end: commit, challenge period, release."""
        (outcome,) = self.settle()
        assert outcome.status == "WAITING", outcome
        self.pass_challenge()
        return self.settle()[0]

    def pass_challenge(self) -> None:
        """Let the challenge period of what is committed now pass."""
        self.chain.advance_to(self.chain.now() + self.world.record["parameters"]["challenge_period_s"] + 1)

    def command_env(self, **changed: str) -> dict[str, str]:
        """The environment of a command: our settings and none of the surroundings'."""
        names = {setting.name for setting in SETTINGS} | {"BO_ENV_FILE"}
        env = {name: value for name, value in os.environ.items() if name not in names}
        return {**env, **self.env, **changed}

    def cli(self, *arguments: str, killed_at: str | None = None, **changed: str) -> Finished:
        """The real command line in a process of its own, as cron would start it."""
        if self._warm_cli is None:
            self._warm_cli = WarmCli()
        done = self._warm_cli.run(arguments, env=self.command_env(**changed), cwd=self.folder, killed_at=killed_at)
        require_clean_texts(self.env, {"stdout": done.stdout, "stderr": done.stderr})
        return done

    def require_no_secret_left(self) -> None:
        """Nothing that a test has left, in the database, in files or in logs, holds a secret of its settings (I15)."""
        require_clean_database(self.env)
        require_clean_files(self.env, Path(self.env["ARTIFACTS_DIR"]).parent)

    # -- the days ----------------------------------------------------------------------------------------------------

    def sell(self, day: DayId, *, buyers: int = 8, min_tips: int = 60, seed: int = 0) -> int:
        """Sell tickets at noon of a day; the number of tickets."""
        rng = random.Random(f"{day} {seed}")
        self.chain.advance_to(day_start(day) + 43_200)
        people = make_players(buyers, make_affiliates(2))
        orders = make_orders(
            rng, people, number_max=self.world.ruleset.number_max, min_tips=min_tips, odd_ways=[Way.DIRECT, Way.CRASHED]
        )
        promotions = ChainAccount(self.chain, self.world.account("promotions"))
        bank = Bank(self.chain, self.world.contracts, promotions)
        bank.give_gas([person.wallet for person in people])
        bank.equip(orders, self.world.ruleset.prices_atoms)
        app_url = with_database(self.world.database.app_url, self.database_name, user=None)
        relayer = ChainAccount(self.chain, self.world.account("relayer"))
        with connect(app_url, application_name="app", check_version=False) as conn:
            App(conn, self.chain, self.world.contracts, relayer).sell(orders)
        return len(orders)

    def close(self, day: DayId, *, has_tips: bool = True) -> None:
        """Close the day, bring its purchases home, and its seeds if it has tips; it can be committed then."""
        self.chain.advance_to(day_end(day) + (0 if has_tips else self.world.ruleset.drand.delay_s))
        with self.context() as context:
            recover_intents(context)
        if has_tips:
            self.bring_seeds(day)

    def bring_seeds(self, day: DayId) -> None:
        """Request the VRF word, play Chainlink, wait for the beacon, collect both."""
        drand = self.world.ruleset.drand
        with self.context() as context:
            refresh_seeds(context)
            self.world.fulfil_vrf(day)
            self.chain.advance_to(self.chain.now() + drand.delay_s + 2 * drand.period_s)
            self.chain.mine(2)
            while refresh_seeds(context).waiting:
                self.chain.mine(1)


@contextmanager
def opened_sold_world(folder: Path) -> Iterator[PlayedWorld]:
    """A new world with a sold and closed day, ended at the end. Numbers 1..9, so that every tier wins by itself."""
    world = start_world(folder / "world", number_max=9)
    try:
        played = PlayedWorld(world, folder)
        played.sell(played.day)
        played.close(played.day)
        played.remember()
        yield played
        # After everything: what PostgreSQL, the chain, the relay and the endpoints have written down.
        require_clean_files(played.env, world.root, "*.log")
    finally:
        world.stop()
