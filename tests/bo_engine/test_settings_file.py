""".env.example documents every setting, and only those.

`python tests/bo_engine/test_settings_file.py > .env.example` writes it anew.
"""

import re
import sys
import textwrap
from pathlib import Path

from bo_engine.settings import SETTINGS, load_settings

FILE = Path(__file__).resolve().parents[2] / ".env.example"
HEAD = """\
# Settings of BO-Engine. Copy this file to .env and fill it in; `chmod 600 .env`, because it holds secrets.
# The environment wins over the file. BO_ENV_FILE names another file than .env. NAME=value, without `export`.
# A line that begins with # shows a default, or a setting that most do not need.
"""


def rendered() -> str:
    """The file as SETTINGS demand it."""
    parts = [HEAD]
    for setting in SETTINGS:
        notes = [setting.help]
        if setting.default is not None:
            notes.append(f"Default: {setting.default or 'none'}.")
        if setting.secret:
            notes.append("Secret.")
        parts += textwrap.wrap(
            " ".join(notes), 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
        )
        is_optional = setting.default is not None or not setting.example
        shown = setting.default if setting.default is not None else setting.example
        parts.append(f"{'#' if is_optional else ''}{setting.name}={shown}\n")
    return "\n".join(parts)


def test_the_example_is_what_the_settings_say() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered()


def test_the_example_names_every_setting_once_and_nothing_else() -> None:
    named = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [setting.name for setting in SETTINGS]


def test_the_example_is_a_valid_file_of_settings() -> None:
    settings = load_settings({}, FILE)
    assert not settings.is_local
    for setting in SETTINGS:
        assert settings.has(setting.name) == (setting.name != "SETTLER_PRIVATE_KEY"), setting.name


def test_the_example_holds_no_real_secret() -> None:
    for setting in SETTINGS:
        if setting.secret and setting.example:
            assert "password" in setting.example or ".example/" in setting.example, setting.name


if __name__ == "__main__":
    sys.stdout.write(rendered())
