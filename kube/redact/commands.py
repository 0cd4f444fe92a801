"""Passwords on command lines that no name tells of: `mysql -phunter2`, `curl -u user:password`, `redis-cli -a x`.

A text is cut into single commands (at line ends, `;`, `|`, `&`, but not within quotes); in those that call one of the
programs its own options are masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from kube.redact.names import BULLETS

# A value: in quotes, or up to what ends a word of a shell, of JSON and of YAML.
_VALUE = r"(?:\\{0,7}\"[^\"\\]*+\\{0,7}\"|'[^']*+'|[^\s\"',\]\\]++)"
_BEFORE = r"(?:(?<=[\s\"',])|^)"  # where an option begins
_GAP = r"(?:\\{0,7}[\"']?(?:[ \t]*+,)?\s++(?:-\s++)?|\\{0,7}[\"']?,)"  # between an option and its value
_REST = r"[^\s\"']++"  # of a word
_USER = r"\\{0,7}[\"']?[^\s:\"',\\]{1,256}+:"


def _option(letter: str, gap: str) -> str:
    return rf"({_BEFORE}-{letter}(?![\w-]*=){gap})(?![\"'\\]{{0,8}}\$[({{A-Z_])(?!-){_VALUE}"


# The programs; what else the command must hold; and what is masked, which is all of the expression after its first group.
_RULES = (
    (r"mysql\w*|maria\w*(?:-\w{1,20})?|mycli|7z\w?", "-p", _option("p", "")),
    (r"sshpass|mongo\w*", "-p", _option("p", f"{_GAP}?+")),
    (r"docker|podman|nerdctl|helm|skopeo|buildah|oras|crane|az", "login", _option("p", f"{_GAP}?+")),
    (r"(?:redis|valkey|keydb)-(?:cli|benchmark)", "-a", _option("a", f"{_GAP}?+")),
    (r"ldap(?:search|add|modify|delete|passwd|whoami)", "-w", _option("w", f"{_GAP}?+")),
    (r"ssh-keygen", "-N", _option("N", f"{_GAP}?+")),
    (r"useradd|usermod", "-p", _option("p", f"{_GAP}?+")),
    (r"zip|unzip|sqlcmd|bcp|osql", "-P", _option("P", f"{_GAP}?+")),
    (r"curl|wget|lftp", "u", rf"({_BEFORE}(?:-[uU]|--(?:proxy-)?user)(?:{_GAP}|=)?+{_USER}){_REST}"),
    (r"smbclient|rpcclient|lftp", "-", rf"({_BEFORE}-[uU]{_GAP}[^\s%,]{{1,256}}+[%,]){_REST}"),
    (r"openssl", "pass:", rf"(\bpass:){_REST}"),
    # With -n there is no file before user and password.
    (r"htpasswd", "n", r"(\s-(?=\w{0,9}n)(?=\w{0,9}b)\w{1,10}\s++\S++\s++)\S++"),
    (r"htpasswd", "b", r"(\s-(?!\w{0,9}n)(?=\w{0,9}b)\w{1,10}\s++\S++\s++\S++\s++)\S++"),
    (r"rabbitmqctl", "_", r"((?:add_user|change_password)\s++\S++\s++)\S++"),
    (r"mc", "alias", r"(alias\s++set\s++\S++\s++\S++\s++\S++\s++)\S++"),
    (r"vault", "login", r"(login\s++)(?!-)[^\s=]++(?!\S)"),
    (r"aws", "configure", r"(\bset\s++\S*(?:key|token)\w*\s++)\S++"),
    (r"machine", "password", r"(\blogin\s++\S++\s++password\s++)\S++"),  # .netrc
    (r"sqlplus", "/", r"(\s[\w.$]{1,128}+/)[^\s@\"']++"),
)
_STEMS = """
mysql maria mycli 7z sshpass mongo docker podman nerdctl helm skopeo buildah oras crane az redis- valkey- keydb- ldap zip
sqlcmd bcp osql curl wget lftp smbclient rpcclient openssl htpasswd rabbitmqctl mc vault aws machine sqlplus ssh-keygen
useradd usermod echo printf
"""
STEMS = tuple(_STEMS.split())
"""A text without one of these has nothing for `clean`."""


@cache
def _rules() -> list[tuple[re.Pattern[str], str, re.Pattern[str]]]:
    """The rules compiled, for the first command line: most processes never meet one."""
    return [
        (re.compile(rf"(?<![\w-])(?:{programs})(?![\w-])"), needs, re.compile(masked))
        for programs, needs, masked in _RULES
    ]


@cache
def _programs() -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(programs for programs, _, _ in _RULES)})(?![\w-])")


_COMMAND = re.compile(r"(?:\\[\s\S]|[^\n;|&\"'\\]|\"(?:[^\"\\]|\\[\s\S])*+\"|'[^']*+'|[\"'\\])++")
_PIPED = re.compile(
    r"(\b(?:echo|printf)\s{1,9}+(?:-\w\s{1,9}+)?(?:['\"]?%s(?:\\n)?['\"]?\s{1,9}+)?)([^|\n$]{1,256}?)"
    r"(\s{0,9}\|\s{0,9}[^|\n]{0,120}(?:--password-stdin|--stdin\b|sudo\s+-\w{0,4}S\b|chpasswd))"
)


def clean(text: str) -> str:
    """The text without the passwords of command lines in it."""
    if "|" in text and ("echo" in text or "printf" in text):
        text = _PIPED.sub(rf"\1{BULLETS}\3", text)
    return _COMMAND.sub(lambda found: _clean_command(found[0]), text) if _programs().search(text) else text


def _clean_command(text: str) -> str:
    for program, needs, masked in _rules():
        if needs in text and program.search(text):
            text = masked.sub(rf"\1{BULLETS}", text)
    return text


# What has a meaning in a shell, within a word of a list that is one already; the private characters stand for nothing else.
_MEANT = " \t\n\r\"'\\;|&,]"
_HIDE = str.maketrans({char: chr(0xE000 + i) for i, char in enumerate(_MEANT)})
_SHOW = str.maketrans({chr(0xE000 + i): char for i, char in enumerate(_MEANT)})


def clean_words(words: Sequence[str]) -> list[str]:
    """As `clean` for one command whose words are apart, as in `command` and `args` of a container."""
    line = " ".join(word.translate(_HIDE) for word in words)
    if _programs().search(line) is None:
        return list(words)
    return [word.translate(_SHOW) for word in _clean_command(line).split(" ")]
