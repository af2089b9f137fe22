"""docs/app.md tells the App's developer what is true: grants, encodings, hashes."""

import re
from pathlib import Path

from bo_engine.keccak import keccak256
from core.lottery.tips import mask_of, pack_masks
from io_layer.postgres.connection import Conn

PAGE = (Path(__file__).parents[3] / "docs" / "app.md").read_text(encoding="utf-8")


def test_the_table_of_grants_is_what_the_database_grants(conn: Conn) -> None:
    listed: set[tuple[str, str, str]] = set()
    for table, inserts, updates, delete in re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| (yes|no) \|$", PAGE, re.M):
        for kind, columns in (("INSERT", inserts), ("UPDATE", updates)):
            listed |= {(table, kind, name) for name in re.findall(r"\w+", columns) if name != "no"}
        if delete == "yes":
            listed.add((table, "DELETE", ""))
    granted = conn.execute(
        "SELECT table_name, privilege_type, column_name FROM information_schema.column_privileges "
        "WHERE grantee = 'bo_app' AND privilege_type IN ('INSERT', 'UPDATE') UNION ALL "
        "SELECT table_name, privilege_type, '' FROM information_schema.table_privileges "
        "WHERE grantee = 'bo_app' AND privilege_type <> 'SELECT'"
    ).fetchall()
    assert listed == set(granted)


def test_the_list_of_readable_tables_is_what_the_database_grants(conn: Conn) -> None:
    readable = conn.execute(
        "SELECT table_name FROM information_schema.table_privileges "
        "WHERE grantee = 'bo_app' AND privilege_type = 'SELECT'"
    ).fetchall()
    section = PAGE[PAGE.index("## 4.") : PAGE.index("```sql")]
    assert set(re.findall(r"`(\w+)`", section)) - {"status"} == {row[0] for row in readable}


def test_the_example_of_tips_and_the_type_hash_are_right() -> None:
    tips = pack_masks([mask_of((3, 7, 12, 19, 25, 38), 38), mask_of((1, 2, 3, 4, 5, 6), 38)])
    assert f"`0x{tips.hex()}`" in PAGE
    assert f"`0x{keccak256(tips).hex()}`" in PAGE
    (type_text,) = re.findall(r"^BuyPermit\(.*\)$", PAGE, re.M)
    assert f"`0x{keccak256(type_text.encode()).hex()}`" in PAGE


def test_every_refusal_on_the_page_exists(conn: Conn) -> None:
    section = PAGE[PAGE.index("### Refusals") : PAGE.index("## 5.")]
    codes = set(re.findall(r"`([a-z0-9]+_[a-z0-9_]+)`", section))
    known = {row[0] for row in conn.execute("SELECT conname FROM pg_constraint").fetchall()}
    known |= {row[0] for row in conn.execute("SELECT relname FROM pg_class WHERE relkind = 'i'").fetchall()}
    sources = " ".join(row[0] for row in conn.execute("SELECT prosrc FROM pg_proc WHERE proname ~ 'guard'").fetchall())
    assert {code for code in codes if code not in known and f"'{code}'" not in sources} == set()
    assert len(codes) > 8
