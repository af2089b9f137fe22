"""The one installation that a database belongs to: chain and settlement contract, written once."""

from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.units import Wallet
from io_layer.postgres.connection import Conn


class Deployment(NamedTuple):
    """Chain id and address of the SettlementV4 contract."""

    chain_id: int
    settlement: Wallet


SELECT_DEPLOYMENT = "SELECT chain_id, settlement FROM deployment"


def select_deployment(conn: Conn) -> Deployment | None:
    """Whose database this is; None until the first job has run."""
    with conn.cursor(row_factory=args_row(Deployment)) as cur:
        return cur.execute(SELECT_DEPLOYMENT).fetchone()


INSERT_DEPLOYMENT = """
    INSERT INTO deployment (chain_id, settlement) VALUES (%(chain_id)s, %(settlement)s)
        ON CONFLICT (only_row) DO NOTHING
"""


def insert_deployment(conn: Conn, ours: Deployment) -> bool:
    """Claim a database that belongs to nobody yet. False when somebody has."""
    return conn.execute(INSERT_DEPLOYMENT, ours._asdict()).rowcount == 1
