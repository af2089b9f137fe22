"""What leaves this process as text: its secrets blotted out, and nothing in it that could steer a terminal or a log.

A process knows its own secrets: ``Settings`` tells them when it reads them, so that every sink (logs, the database's
text columns, the terminal) blots the same ones without being handed them.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

_SHORTEST: Final = 6  # a shorter part would blot out common words and tell by that what it is
_SHORTEST_PATH: Final = 8  # of a URL's path, where `mainnet` or `rpc` is no secret
_TEXT_LIMIT: Final = 2_000

_LONG: Final = 16
#: A node on this very host, without any key: an address that people want to see.
_OWN_NODE: Final = re.compile(r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?/?")
_NUMBER_OR_HASH: Final = re.compile(r"-?[0-9]*|(?:0x)?[0-9a-f]*")


class Redactor:
    """The secrets that are known so far, and how to find them in a text."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        # For any text, and for one that is a number or a hash. None before the first secret: most texts pass fast.
        self._patterns: tuple[re.Pattern[str], re.Pattern[str]] | None = None

    @property
    def known(self) -> frozenset[str]:
        """Every part that is redacted, to go back to with ``reset``."""
        return self._known

    def know(self, secrets: Iterable[str]) -> None:
        """From now on redact these texts, and each part of them that gives a secret away."""
        new = {part for secret in secrets for part in parts_of(secret)} - self._known
        if new:
            self.reset(self._known | new)

    def reset(self, known: frozenset[str]) -> None:
        """Know these parts and no others. Only a test ever takes some away: a process forgets no secret."""
        self._known = known
        long = [part for part in known if len(part) >= _LONG]
        self._patterns = (_pattern(known), _pattern(long)) if known else None

    def redact(self, text: str) -> str:
        """The text with every known part replaced."""
        if self._patterns is None:
            return text
        every, long = self._patterns
        return (long if _NUMBER_OR_HASH.fullmatch(text) else every).sub("***", text)


#: A process has one log and one terminal, so one instance is right: whoever learns a secret protects every sink.
REDACTOR: Final = Redactor()


def know_secrets(secrets: Iterable[str]) -> None:
    """From now on no sink of this process shows these texts or a telling part of them."""
    REDACTOR.know(secrets)


def blot(text: str) -> str:
    """The text with every secret of this process replaced.

    A short secret counts only where it stands by itself, and never inside an amount, an address or a hash: a password
    of six digits must not change what a machine reads.
    """
    return REDACTOR.redact(text)


def _pattern(parts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(parts, key=len, reverse=True)
    spelled = [
        re.escape(part) if len(part) >= _LONG else rf"(?<![^\W_]){re.escape(part)}(?![^\W_])" for part in longest_first
    ]
    return re.compile("|".join(spelled) or r"(?!)")


def plain(text: str) -> str:
    """The text on one line of printable characters: newlines, ANSI escapes, U+2028, marks that turn the writing
    direction, NUL and half characters (which neither PostgreSQL nor a terminal takes) are written as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def told(text: str) -> str:
    """A text from outside, or one that may hold some, as it may be stored and shown: blotted, plain, not endless."""
    # Blotted first, so that neither an escape nor the cut leaves a part of a secret standing.
    shown = plain(blot(text))
    return shown if len(shown) <= _TEXT_LIMIT else f"{shown[: _TEXT_LIMIT - 3]}..."


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed, names included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(name)): each_text(inner, change) for name, inner in value.items()}
    return [each_text(inner, change) for inner in value] if isinstance(value, list | tuple) else value


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def parts_of(secret: str) -> list[str]:
    """The secret and all by which it leaks: a key without its 0x, a URL's credentials as they are and as they travel.

    The path of a database's URL is only a name, that of an RPC endpoint is often the key itself, whole or in parts.
    """
    if _OWN_NODE.fullmatch(secret):
        return []
    parts = [secret, secret.removeprefix("0x")]
    if "://" in secret:
        try:
            url = urlsplit(secret)
        except ValueError:
            # No URL that Python can read; whatever stands between its marks may be the secret.
            return _long_enough([*parts, *re.split(r"[/@:?&=#\[\]]", secret)])
        parts.append(url.password or "")
        if url.scheme not in ("http", "https"):
            # The other parameters of a database's URL are words like `require` and the name of this program.
            parts += [value for name, value in parse_qsl(url.query) if "pass" in name]
        else:
            parts += [url.query, *(value for _, value in parse_qsl(url.query))]
            userinfo = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
            parts += [
                url.username or "",
                base64.b64encode(userinfo.encode("utf-8", "surrogatepass")).decode() if url.username else "",
            ]
            parts += [part for part in (url.path, *url.path.split("/")) if len(part) >= _SHORTEST_PATH]
    spelled = [*parts, *map(unquote, parts), *(quote(part, safe="", errors="surrogatepass") for part in parts)]
    return _long_enough(spelled)


def _long_enough(parts: Iterable[str]) -> list[str]:
    return sorted({part for part in parts if len(part) >= _SHORTEST}, key=len, reverse=True)
