"""One variable of the environment: its type, its default, its meaning, and a read that fails loudly.

Every program of the project imports this, the smallest too: nothing but `os` and `pathlib` is loaded here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Type(Generic[T]):
    """How a text is read. `read` raises ValueError for all that is not `allowed`, which completes "it may be …"."""

    __slots__ = ("allowed", "name", "read")

    def __init__(self, name: str, allowed: str, read: Callable[[str], T]) -> None:
        self.name, self.allowed, self.read = name, allowed, read


class Setting(Generic[T]):
    """A variable. `default` is the text that counts where it is not set or empty; a `secret` value is never told."""

    __slots__ = ("default", "meaning", "name", "secret", "type")

    def __init__(self, name: str, type: Type[T], default: str, meaning: str, secret: bool = False) -> None:
        self.name, self.type, self.default, self.meaning, self.secret = name, type, default, meaning, secret

    def get(self) -> T:
        """What it says now. Raises ValueError that names the variable, its value and what is allowed."""
        text = os.environ.get(self.name) or self.default
        try:
            return self.type.read(text)
        except ValueError:
            value = "not what it may be" if self.secret else repr(text)
            raise ValueError(f"{self.name} is {value}: give {self.type.allowed}") from None

    @property
    def given(self) -> bool:
        """Whether it is set, and not to nothing."""
        return bool(os.environ.get(self.name))

    def put(self, value: str) -> None:
        """Set it, for this process and those that it starts."""
        os.environ[self.name] = value


class Section:
    """Settings that the same hand sets, in the order of their declaration. `intro` says whose hand."""

    def __init__(self, title: str, intro: str) -> None:
        self.title, self.intro, self.settings = title, intro, list[Setting[Any]]()

    def setting(self, name: str, type: Type[T], default: str, meaning: str, secret: bool = False) -> Setting[T]:
        made = Setting(name, type, default, meaning, secret)
        self.settings.append(made)
        return made


def _checked(read: Callable[[str], T], holds: Callable[[T], bool]) -> Callable[[str], T]:
    def checked(text: str) -> T:
        value = read(text)
        if not holds(value):
            raise ValueError
        return value

    return checked


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):  # `int` takes signs, spaces, underscores and other scripts' digits too
        raise ValueError
    return int(text)


def _range(text: str) -> str:
    import ipaddress  # who reads a range has it loaded

    return str(ipaddress.ip_network(text))


def _ranges(text: str) -> list[str]:
    return [_range(word.strip()) for word in text.split(",") if word.strip()]


def _address(text: str) -> str:
    import ipaddress

    return str(ipaddress.ip_address(text)) if text else ""


def _starting_with(*beginnings: str) -> Callable[[str], str]:
    return _checked(str, lambda text: not text or text.startswith(beginnings))


TEXT: Type[str] = Type("text", "a text", str)
FOLDER: Type[Path] = Type("path", "a path", Path)
MAYBE_PATH: Type[Path | None] = Type("path", "a path", lambda text: Path(text) if text else None)
PORT = Type("port", "a port: a number from 1 to 65535", _checked(_whole, lambda value: 0 < value < 65536))
NUMBER = Type("number", "a number of at least 0", _checked(float, lambda value: 0 <= value < 1e9))
POSITIVE = Type("number", "a number greater than 0", _checked(float, lambda value: 0 < value < 1e9))
COUNT = Type("whole number", "a whole number of at least 0", _whole)
WORDS = Type(
    "list", "words with commas between them", lambda text: [word.strip() for word in text.split(",") if word.strip()]
)
LEVEL = Type("log level", "DEBUG, INFO, WARNING, ERROR or CRITICAL", _checked(str, lambda text: text in _LEVELS))
RANGE = Type("IP range", "a range of addresses such as 10.96.0.0/16", _range)
RANGES: Type[list[str]] = Type("IP ranges", "IP addresses or ranges with commas between them", _ranges)
ADDRESS = Type("IP address", "an IP address", _address)
URL = Type("URL", "http://… or https://…", _starting_with("http://", "https://"))
REDIS = Type("URL", "unix://PATH, redis://… or rediss://…", _starting_with("unix://", "redis://", "rediss://"))
DATABASE = Type("URL", "sqlite:///PATH or postgresql://…", _starting_with("sqlite:///", "postgres://", "postgresql://"))
