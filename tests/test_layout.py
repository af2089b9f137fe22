"""The layout: where things lie, what the lock files may not say, and what no code may do near money or SQL."""

import ast
import fnmatch
import importlib
import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

TOP_FOLDERS = {*PACKAGES, "contracts", "docs", "tests", "artifacts", "logs", "crontab", ".ci"}
TOP_FILES = {
    ".env.example",
    ".gitignore",
    "CHANGELOG.md",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "requirements-node.lock",
    "requirements-slither.lock",
    "requirements.lock",
}
NOT_BUILT_YET: set[str] = set()
# Folders of tests that take the whole engine and not one package.
ACROSS_PACKAGES = {"bench", "faults", "fuzz", "invariants"}
CODE = {".py", ".sol", ".sql", ".js"}
MAX_CODE_LINES = 600
MAX_MODULES = 12

# Where money passes. `core`, `merkle`, `abi` and `bo_engine` also know no duration and no folder.
PURE = ("bo_engine", "core", "merkle", "abi")
MONEY = (*PURE, "io_layer", "services", "workers", "watchdog", "cli", "local_world", "verifier")
# Outside PURE, durations in seconds may be floats: in these files, under names that end in _s.
DURATIONS_IN = {
    *("io_layer/rpc/breaker.py", "io_layer/rpc/endpoint.py", "io_layer/rpc/http_body.py"),
    *("io_layer/lottery/drand.py", "io_layer/lottery/contracts/head.py", "services/running/cancel.py"),
    *("services/jobs/job.py", "services/running/lease.py"),
    "services/lottery/deployment/take_office.py",
    "services/lottery/settlement/steps/commit_day.py",
}
# The local world waits for processes; those of its files that see no amount at all may hold floats as they like.
NO_MONEY_IN = {
    f"local_world/{name}.py"
    for name in ("chain", "faults/lines", "faults/modes", "postgres", "processes", "rpc_proxy", "story")
}
DURATION = re.compile(r"\w*_[sS]|deadline|seconds")
FLOAT_NAMES = {"float", "float16", "float32", "float64", "true_divide", "mean", "average"}
FLOAT_MODULES = {"decimal", "fractions", "statistics", "cmath"}

# Where statements may stand; the local world makes databases and is looked at by rules of its own.
WITH_SQL = ("io_layer", "services", "workers", "watchdog", "cli")
SQL_METHODS = {"execute", "executemany", "copy", "stream"}
# Statements that a private function gets from its callers, which pass constants (looked at by hand).
SQL_PARAMETERS = {("io_layer/lottery/stores/runs.py", "copy_sql")}


def walked() -> Iterator[Path]:
    """Every file of the project, relative to its root; what .gitignore names is left out."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = [line.rstrip("/") for line in lines if not line.startswith("!")] + [".git"]
    kept = {line[1:] for line in lines if line.startswith("!")}

    def is_ignored(path: str) -> bool:
        names = (path, Path(path).name)
        return path not in kept and any(fnmatch.fnmatch(name, rule) for name in names for rule in ignored)

    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not is_ignored(str(here / name))]
        yield from (here / name for name in files if not is_ignored(str(here / name)))


def parsed(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """The Python files below these folders, with their path and their syntax tree."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


# ---------------------------------------------------------------------------------------------------------- where


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_comes_from_this_checkout(name: str) -> None:
    # `watchdog` and `core` are popular names: one installed from elsewhere would be imported without a word.
    found = importlib.import_module(name).__file__
    assert found is not None
    assert Path(found).resolve().parent == ROOT / name


def test_the_package_lists_name_every_package() -> None:
    present = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert present == set(PACKAGES)
    assert present == set(PROJECT["tool"]["mypy"]["packages"])
    assert present == set(PROJECT["tool"]["importlinter"]["root_packages"])


def test_the_top_level_has_the_shape_of_the_layout_page() -> None:
    tops = {path.parts[0] for path in walked()}
    files = {path.parts[0] for path in walked() if len(path.parts) == 1}
    assert files == TOP_FILES
    assert tops - files <= TOP_FOLDERS
    assert TOP_FOLDERS - (tops - files) <= NOT_BUILT_YET
    page = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    assert {name for name in TOP_FOLDERS if f"{name}/" not in page} == set()


def test_tests_mirror_the_packages_and_are_none() -> None:
    # tests/core/__init__.py would hide the real `core`.
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    folders = {path.parts[1] for path in walked() if path.parts[0] == "tests" and len(path.parts) > 2}
    assert folders <= {*PACKAGES, "contracts", "support", "vectors", *ACROSS_PACKAGES}


def test_no_folder_holds_more_modules_than_one_can_take_in() -> None:
    counts = Counter(
        str(path.parent) for path in walked() if path.parts[0] in ("io_layer", "services") and path.suffix == ".py"
    )
    # Without __init__.py.
    assert {folder: count - 1 for folder, count in counts.items() if count - 1 > MAX_MODULES} == {}


def test_no_file_of_code_is_longer_than_one_can_read() -> None:
    long = {}
    for path in walked():
        if path.suffix in CODE or path.name == "Makefile":
            lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
            long[str(path)] = sum(1 for line in lines if line.strip())
    assert {name: count for name, count in long.items() if count > MAX_CODE_LINES} == {}


def test_no_file_names_a_machine_or_a_registry() -> None:
    here = re.escape(f"{ROOT}/")
    homes = r"/(?:home|root|Users|work|workspace)/[\w.-]"
    registries = r"\b(?:registry|pypi|npmjs|pythonhosted)\.[a-z]"
    odd = re.compile(rf"(?<![\w.:/-])(?:{here}|{homes})|{registries}")
    found = []
    for path in walked():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {match.group()}" for match in odd.finditer(text) if path != Path("tests/test_layout.py")]
    assert found == []


# ----------------------------------------------------------------------------------------------------- dependencies


def test_lock_files_pin_hashes_and_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-node.lock", "requirements-slither.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        pins = re.findall(r"^([a-zA-Z0-9._-]+(?:\[[^]]*\])?)==\S+.*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-zA-Z]", text, re.MULTILINE)) > 0
        assert "://" not in text
        assert not re.search(r"^\s*-(?:i|f|-index|-extra|-find|-trusted)", text, re.MULTILINE)
    lock = json.loads((ROOT / "contracts" / "package-lock.json").read_text(encoding="utf-8"))
    for path, package in lock["packages"].items():
        assert "resolved" not in package, path
        assert path == "" or package.get("integrity", "").startswith("sha512-"), path


def test_every_declared_dependency_is_locked_at_its_version() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))
    for line in declared():
        name, _, version = line.partition(";")[0].partition("==")
        assert locked[re.sub(r"\[.*\]", "", name).lower()] == version, line
    assert "watchdog" not in locked


def test_every_declared_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in declared():
        beside, above = rf'^    "{re.escape(line)}",\s+# \S.{{8,}}$', rf'^    # \S.{{8,}}\n    "{re.escape(line)}",$'
        assert re.search(f"{beside}|{above}", text, re.MULTILINE), f"{line} has no reason"
    assert json.loads((ROOT / "contracts" / "package.json").read_text(encoding="utf-8"))["description"]


def declared() -> list[str]:
    """All requirements of pyproject.toml, those of the extras included."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]


# ----------------------------------------------------------------------------------------------------- money and SQL


def test_no_float_comes_near_money() -> None:
    assert [finding for path, tree in parsed(*MONEY) for finding in floats_in(path, tree)] == []


def floats_in(path: str, tree: ast.Module) -> Iterator[str]:
    """What gives a float in a module: a literal, ``/``, ``float`` itself, or a module of fractions."""
    is_pure = path.split("/")[0] in PURE
    may_wait = path in DURATIONS_IN or path.startswith("local_world/")
    allowed = duration_nodes(tree) if may_wait else set()
    if path in NO_MONEY_IN:
        return
    for node in ast.walk(tree):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        if id(node) in allowed:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{where} the float {node.value}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            if is_pure or not joins_a_path(node):
                yield f"{where} a true division: use // or divmod"
        elif isinstance(node, ast.Name) and node.id in FLOAT_NAMES:
            yield f"{where} {node.id}"
        elif isinstance(node, ast.Attribute) and node.attr in FLOAT_NAMES:
            yield f"{where} .{node.attr}"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            if names & FLOAT_MODULES:
                yield f"{where} an import of {names & FLOAT_MODULES}"


def duration_nodes(tree: ast.Module) -> set[int]:
    """The nodes that make up a duration: what a name ending in _s is set to or returns, its annotation, an argument of
    sleep."""
    parts: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.attr if isinstance(target, ast.Attribute) else ast.unparse(target) for target in targets]
            if all(DURATION.fullmatch(name) for name in names):
                parts.append(node)
        if isinstance(node, ast.FunctionDef) and DURATION.fullmatch(node.name):
            parts += [node.returns or node, *(inner for inner in ast.walk(node) if isinstance(inner, ast.Return))]
        is_argument = isinstance(node, ast.arg) and DURATION.fullmatch(node.arg)
        if is_argument or (isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"):
            parts.append(node)
    return {id(inner) for part in parts for inner in ast.walk(part)}


def joins_a_path(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether ``/`` joins a path: its right side is text, or its left side is named like a folder."""
    if isinstance(node, ast.AugAssign):
        return False
    is_text = isinstance(node.right, ast.JoinedStr) or (
        isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)
    )
    return is_text or bool(re.search(r"(folder|_dir|root|path|\.absolute\(\))$", ast.unparse(node.left)))


def test_every_statement_is_a_constant_with_bound_parameters() -> None:
    found = []
    for path, tree in parsed(*WITH_SQL):
        for function, call in statements_in(tree):
            if not is_constant_sql(call.args[0], path, tree, function):
                found.append(f"{path}:{call.lineno} {ast.unparse(call.args[0])}")
    assert found == []


def test_the_local_world_builds_sql_with_quoted_names_only() -> None:
    # It makes databases and logins, whose names cannot be bound: psycopg.sql quotes them.
    for path, tree in parsed("local_world"):
        for _, call in statements_in(tree):
            built = [inner for inner in ast.walk(call.args[0]) if isinstance(inner, ast.JoinedStr | ast.BinOp)]
            assert not built, f"{path}:{call.lineno} {ast.unparse(call.args[0])}"


def test_every_package_is_looked_at_for_money_and_for_sql() -> None:
    assert {*MONEY} == {*PACKAGES}
    assert {*PURE, *WITH_SQL, "local_world", "verifier"} == {*PACKAGES}


def test_the_pure_packages_run_no_sql_and_quoted_text_is_constant() -> None:
    assert [path for path, tree in parsed(*PURE) for _ in statements_in(tree)] == []
    found = [
        f"{path}:{call.lineno} {ast.unparse(call)}"
        for path, tree in parsed(*WITH_SQL, "local_world")
        for scope, call in quoted_in(tree)
        if not is_constant_sql(call.args[0], path, tree, scope)
    ]
    assert found == []


def scopes_of(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every node with the function it stands in, or with the module."""
    inside = set()
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(scope):
                inside.add(id(node))
                yield scope, node
    yield from ((tree, node) for node in ast.walk(tree) if id(node) not in inside)


def statements_in(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Calls that run SQL, each with the function it stands in (or the module). A ``query=`` counts as the first."""
    for scope, node in scopes_of(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SQL_METHODS:
            named = [keyword.value for keyword in node.keywords if keyword.arg in ("query", "statement")]
            if node.args or named:
                yield scope, ast.copy_location(ast.Call(node.func, [*node.args, *named], []), node)


def quoted_in(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Calls of psycopg's ``SQL(...)``, which quotes nothing: its text must be our own."""
    for scope, node in scopes_of(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("SQL", "sql.SQL") and node.args:
            yield scope, node


def is_constant_sql(node: ast.expr, path: str, tree: ast.Module, scope: ast.AST) -> bool:
    """Whether an expression can only be text that stands in the source."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.Name) and (path, node.id) in SQL_PARAMETERS:
        return True
    if isinstance(node, ast.Name):
        values = [*values_of(node.id, scope), *values_of(node.id, tree)]
        return bool(values) and all(is_constant_sql(value, path, tree, scope) for value in values)
    if isinstance(node, ast.Subscript):
        return is_constant_sql(node.value, path, tree, scope)
    if isinstance(node, ast.Dict):
        return all(is_constant_sql(value, path, tree, scope) for value in node.values)
    if isinstance(node, ast.IfExp):
        return all(is_constant_sql(value, path, tree, scope) for value in (node.body, node.orelse))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return all(is_constant_sql(value, path, tree, scope) for value in (node.left, node.right))
    return False


def values_of(name: str, scope: ast.AST) -> list[ast.expr]:
    """What a name is set to, directly in a function or a module."""
    found = []
    for node in getattr(scope, "body", []):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        is_set = isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        if is_set and any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found.append(node.value)
    return found


# --------------------------------------------------------------------------------------------- the tests can fail


@pytest.mark.parametrize(
    "line",
    ["x = 0.5", "x = a / b", "x /= 2", "x = float(a)", "import decimal", "x = y.astype(float64)", "wait_s = 1.5"],
)
def test_a_float_in_core_would_be_found(line: str) -> None:
    assert list(floats_in("core/new.py", ast.parse(line)))


def test_a_division_of_amounts_outside_core_would_be_found() -> None:
    assert list(floats_in("services/new.py", ast.parse("half = pot_atoms / parts")))
    assert not list(floats_in("services/new.py", ast.parse("file = folder / name")))
    assert not list(floats_in("io_layer/rpc/endpoint.py", ast.parse("wait_s = 1.5")))


def test_a_float_in_a_file_that_prints_or_plays_money_would_be_found() -> None:
    for path in ("cli/new.py", "local_world/lottery/bank.py", "local_world/lottery/demo/summary.py", "watchdog/new.py"):
        assert list(floats_in(path, ast.parse("share = pot_atoms / 2")))
        assert list(floats_in(path, ast.parse("share = pot_atoms * 0.5")))
    assert not list(floats_in("local_world/lottery/deploy.py", ast.parse("wait_s = 0.5")))


BUILT = [
    'conn.execute(f"SELECT {x}")',
    'conn.execute("SELECT " + x)',
    'conn.execute("SELECT {}".format(x))',
    'conn.execute("SELECT %s" % x)',
    "conn.execute(query=x)",
    'conn.executemany("SELECT " + x, [])',
    "c.copy(x)",
    "c.stream(x)",
]


@pytest.mark.parametrize("line", BUILT)
@pytest.mark.parametrize("frame", ["def select(conn, x):\n    {}", "async def select(conn, x):\n    {}", "{}"])
def test_a_built_statement_would_be_found(line: str, frame: str) -> None:
    tree = ast.parse(frame.replace("{}", line, 1))
    ((scope, call),) = statements_in(tree)
    assert not is_constant_sql(call.args[0], "io_layer/new.py", tree, scope)


@pytest.mark.parametrize("line", ['sql.SQL(f"DROP {x}")', 'sql.SQL("DROP " + x)', "SQL(x)"])
def test_text_that_is_not_ours_in_a_quoted_statement_would_be_found(line: str) -> None:
    tree = ast.parse(f"def drop(x):\n    conn.execute({line})")
    ((scope, call),) = quoted_in(tree)
    assert not is_constant_sql(call.args[0], "local_world/new.py", tree, scope)


def test_a_statement_in_a_pure_package_would_be_found() -> None:
    assert list(statements_in(ast.parse('def f(conn):\n    conn.execute("SELECT 1")')))
