"""Credentials in any text: a log line, a message, a script, a configuration file, JSON, a URL.

What is known by its own form goes first (private keys, tokens, passwords of URLs and headers); then commands that take a
password by a short option; then every word that is the name of a credential, with what follows it as `=`, `:` or blank.

No expression here backtracks over what it has passed (`++`, `*+`) or looks further than a bound, and what was masked is
not looked at again: the time is linear to the length of the text.
"""

from __future__ import annotations

import base64
import binascii
import re

from kube.redact import commands
from kube.redact.names import BULLETS, is_credential_name, is_list_of_credentials, mask

# Without one of these, in lower case, there is nothing to find: most texts are done here.
_STEMS = """
pass pw secret token key cred auth cookie basic bearer :// eyj akia asia aiza ghp_ gho_ ghu_ ghs_ ghr_ github_ glpat- xox
xapp- sk- k_live_ k_test_ hvs. hvb. hooks. webhooks sig= -signature= npm_ sg. dop_v1_ $2 $5 $6 $y $apr1 $argon
"""
_SUSPECT = (*_STEMS.split(), *commands.STEMS)
_ONE_WORD = re.compile(r"[\w./-]{0,19}")  # too short for a token, and with nothing that it could be the value of

_OWN_FORM = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{4,}+(?:\.[\w-]*+)?"  # JWT
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\bAIza[\w-]{35}"  # Google
    r"|\bgh[pousr]_\w{30,255}|\bgithub_pat_\w{22,255}|\bglpat-[\w-]{20,255}"
    r"|\bxox[abeoprs]-[\w-]{10,255}|\bxapp-\d-[\w-]{10,255}"  # Slack
    r"|(?<![\w-])sk-(?=[\w-]{0,200}\d)[\w-]{20,255}|\b[sr]k_(?:live|test)_\w{10,255}"  # OpenAI, Anthropic, Stripe
    r"|\bhv[sb]\.[\w-]{20,255}|\bnpm_\w{30,255}|\bSG\.[\w-]{16,64}\.[\w-]{16,64}|\bdop_v1_[0-9a-f]{60,64}"
    r"|(?<=hooks\.slack\.com/services/)[\w/]{8,255}|(?<=/api/webhooks/)\d{1,20}/[\w-]{8,255}"  # Slack, Discord
    r"|(?<=[?&]sig=)[^\s&\"']{4,512}|(?<=-Signature=)[^\s&\"']{4,512}"  # signed URLs of Azure, AWS and Google
    r"|\$(?:2[aby]|5|6|y|apr1|argon2id?)\$[./\w$=,+-]{20,255}"  # hashes of passwords
)
_URL = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{1,20}+://)([^\s/?#:@\"'<>]{0,256}+)(:[^\s/\"'<>]{1,512}(?=@))?(?=@)")
_HEADER = re.compile(
    r"(?i)(\b(?:proxy-)?authorization\\{0,7}[\"']?\s{0,9}+[:=]\s{0,9}+)(\\{0,7}[\"'])?"
    r"((?:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\s++)?"
)
_HEADER_VALUE = re.compile(r"[^\s\"',;\\]*+")
_COOKIE = re.compile(r"(?i)(\b(?:set-)?cookie:[ \t]*+)([^\"'\r\n]++)")
_SCHEME = re.compile(r"(?i)\b(basic|bearer)(\s{1,9}+)([\w.~+/-]{8,}+=*+)")

_WORD = re.compile(r"[\w./-]{2,}+")
_SEPARATOR = re.compile(
    r"\\{0,7}[\"']?[ \t]{0,99}+(?:=>|:=|:[-=?+]|={1,2}|:)(?!//)[ \t]*+(?:\r?\n\s{0,99}+(?=[\"']))?+"
)
_NAMED_VALUE = re.compile(r"[\s\"'\\]{0,99}+,?[\s\"'\\]{0,99}+value\\{0,7}[\"']?[ \t]{0,9}+[:=][ \t]*+")
_NEXT_WORD = re.compile(r"\\{0,7}[\"']?(?:[ \t]{0,9}+,\s{0,99}+|\s{1,99}+(?:-\s{1,9}+)?)")
_OPEN = re.compile(r"\\{0,7}[\"']")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\[\s\S])*+\"|'[^']*+'")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]*+\r?\n")
_LINE = re.compile(r"[^\r\n]*+")
# A value on the line below its key, further in: neither a key with a value of its own nor a list.
_BELOW = re.compile(r"\r?\n([ \t]++)(?!-[ \t]|#|[\w./\"'-]++:(?:\s|\Z))(?=\S)")
_FOLDERS = frozenset({"PWD", "OLDPWD"})  # of a shell; in a connection string they are passwords
_PLAIN = re.compile(r"[^\s,;&\"'<>|)}\]]++")
_TO_BLANK = re.compile(r"\S++")
_TO_TAG = re.compile(r"[^<]*+")
_INDENTED = re.compile(r"([ \t]*+)([^\r\n]*+)\r?\n?")
_LEFT = re.compile(r"[ \t]*+(?:- )?[ \t\"']*+(?:export |set |ENV |ARG )?[\"']?")
_ONLY_REFERENCE = re.compile(r"\$\([^()]{1,253}\)|\$\{[A-Za-z_]\w{0,253}\}|\$[A-Z_][A-Z0-9_]{0,253}")
# Not a credential but where one is to be found, or that there is none.
_REFERENCE = re.compile(
    r"(?i)\$[({]|\$[A-Z_]\w*+(?![^\s\"',;)}\]])|\{\{|%[sdvq(]|•|\*{3}|<[a-z][\w -]{0,40}>"
    r"|(?:true|false|null|none|nil|yes|no|undefined|redacted|~)(?![^\s\"',;&)}\]])"
)
_PROSE = re.compile(
    r"(?i)(?:is|are|was|were|has|have|had|must|can|cannot|could|may|should|will|not|or|and|in|of|for|to|from|with|the|an?|on"
    r"|by|at|as|if|it|this|that|option|flag|argument|given|missing|required|invalid|expired|found|file|value|see|check"
    r"|incorrect|wrong|expected|unknown|empty|eof|mismatch|changed|needs?)(?![\w-])"
)


def clean(text: str) -> str:
    """The text without what is a credential by its form, its name or its place."""
    if _ONE_WORD.fullmatch(text):
        return text
    lower = text.lower()
    if not any(stem in lower for stem in _SUSPECT):
        return text
    text = _OWN_FORM.sub(lambda found: mask(len(found[0])), text)
    if "://" in text:
        text = _URL.sub(_clean_url, text)
    text = _SCHEME.sub(_clean_scheme, _COOKIE.sub(rf"\1{BULLETS}", _clean_headers(text)))
    return _clean_names(commands.clean(text))


def _clean_url(found: re.Match[str]) -> str:
    """Passwords; and users alone where they are tokens: `https://TOKEN@host`, but not `ssh://git@host`."""
    scheme, user, password = found.groups()
    if password:
        return found[0] if is_reference(password[1:]) else f"{scheme}{user}:{BULLETS}"
    return f"{scheme}{BULLETS}" if user and scheme.lower().startswith("http") else found[0]


def _clean_headers(text: str) -> str:
    out, done = list[str](), 0
    for found in _HEADER.finditer(text):
        at = found.end()
        if at < done or _REFERENCE.match(text, at) or _PROSE.match(text, at):
            continue
        end = text.find(found[2], at, at + 8_192) if found[2] else -1
        if end < 0:
            ended = _HEADER_VALUE.match(text, at)
            end = ended.end() if ended else at
            # `Digest username="…", response="…"` goes on.
            if (found[3] or "").lower().startswith(("digest", "aws4")):
                end = _end(_LINE, text, at)
        if end > at:
            out += [text[done:at], BULLETS]
            done = end
    return "".join([*out, text[done:]]) if out else text


def _clean_scheme(found: re.Match[str]) -> str:
    scheme, blank, value = found.groups()
    basic = scheme.lower() == "basic"
    if is_pair(value) if basic else len(value) >= 12 and any(c.isdigit() for c in value):
        return f"{scheme}{blank}{BULLETS}"
    return found[0]


def is_pair(value: str) -> bool:
    """Whether a text is base64 of `user:password`."""
    try:
        return b":" in base64.b64decode(value[:1_024].rstrip("=") + "==", validate=False) and len(value) % 4 != 1
    except (binascii.Error, ValueError):
        return False


def _clean_names(text: str) -> str:
    out, done = list[str](), 0
    for word in _WORD.finditer(text):
        if word.start() < done:
            continue
        span = _value_of(text, word)
        if span is not None and span[0] < span[1]:
            out += [text[done : span[0]], BULLETS]
            done = span[1]
    return "".join([*out, text[done:]]) if out else text


def _value_of(text: str, word: re.Match[str]) -> tuple[int, int] | None:
    """Where the value of a word stands that names a credential; None for all other words."""
    name, at = word[0], word.end()
    if not is_list_of_credentials(name.lstrip("-").rstrip(".")):
        return _docker_auth(text, word) if name == "auth" else None
    if separator := _SEPARATOR.match(text, at):
        return _assigned(text, word, separator)
    if text[word.start() - 1 : word.start()] == "<" and text[at : at + 1] == ">":
        return at + 1, _end(_TO_TAG, text, at + 1)
    if named := _NAMED_VALUE.match(text, at):
        return _span(text, named.end(), _LINE if "\n" in named[0] else _PLAIN)
    if name.startswith(("-", "requirepass")) and (following := _NEXT_WORD.match(text, at)):
        value = following.end()
        return None if text.startswith("-", value) or _PROSE.match(text, value) else _span(text, value, _PLAIN)
    return None


def _docker_auth(text: str, word: re.Match[str]) -> tuple[int, int] | None:
    """`"auth": "dXNlcjpwYXNzd29yZA=="` as in Docker's configuration."""
    separator = _SEPARATOR.match(text, word.end())
    span = _span(text, separator.end(), _PLAIN) if separator else None
    return span if span and len(text[slice(*span)]) >= 8 and is_pair(text[slice(*span)].strip("\"'")) else None


def _assigned(text: str, word: re.Match[str], separator: re.Match[str]) -> tuple[int, int] | None:
    at, colon = separator.end(), ":" in separator[0] and "=" not in separator[0]
    start = text.rfind("\n", max(0, word.start() - 256), word.start()) + 1
    left = _LEFT.match(text, start, word.start())
    first = left is not None and left.end() == word.start() and (start > 0 or word.start() < 256)
    if word[0] in _FOLDERS and text.startswith("/", at):
        return None
    if block := _BLOCK.match(text, at):
        return block.end(), _end_of_block(text, word.start() - start, block.end())
    if first and colon and (below := _BELOW.match(text, at)) and len(below[1]) > word.start() - start:
        return _span(text, below.end(), _LINE)
    if text.startswith("[", at):
        end = text.find("]", at, at + 65_536)
        return (at + 1, end) if end > 0 else _span(text, at, _LINE)
    if not is_credential_name(word[0].lstrip("-")):
        return None  # the plural of one: only its list counts
    if first and not separator[0].startswith((":-", ":=", ":?", ":+")):
        return _span(text, at, _LINE if colon else _TO_BLANK)
    span = _span(text, at, _PLAIN)
    if span and colon and not _OPEN.match(text, at) and _is_prose(text[slice(*span)], word[0]):
        return None
    return span


def _is_prose(value: str, name: str) -> bool:
    """Whether what follows `name: ` within a line goes on with the sentence: `secret: not found`."""
    password = name.lower().endswith(("password", "passwd", "pwd", "passphrase"))
    return bool(_PROSE.fullmatch(value)) or (not password and value.isascii() and value.isalpha() and value.islower())


def _span(text: str, at: int, unquoted: re.Pattern[str]) -> tuple[int, int] | None:
    """The value that begins at `at`: what is between quotes, else what the expression takes. None for a reference."""
    opening = _OPEN.match(text, at)
    inner = opening.end() if opening else at
    if _REFERENCE.match(text, inner):
        return None
    if opening is None:
        end = _end(unquoted, text, at)
        if unquoted is _LINE and (remark := text.find(" #", at, end)) > 0:
            end = remark
        return at, end
    if len(opening[0]) > 1:  # a quote within a quoted text: ends at the next that is escaped alike
        end = text.find(opening[0], inner)
    else:
        end = found.end() - 1 if (found := _QUOTED.match(text, at)) else -1
    return inner, end if end >= 0 else _end(_LINE, text, inner)


def _end_of_block(text: str, indent: int, at: int) -> int:
    """The end of YAML's block scalar whose key is indented so far: before the first line that is not further in."""
    end = at
    while end < len(text):
        line = _INDENTED.match(text, end)
        assert line is not None  # it matches anything
        if line[2] and len(line[1]) <= indent:
            break
        end = line.end()
    return end - 1 if text.endswith("\n", at, end) else end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def is_reference(value: str) -> bool:
    """Whether a value only says where a credential is to be found: `$(DB_PASSWORD)`, `${DB_PASSWORD}`."""
    return _ONLY_REFERENCE.fullmatch(value) is not None
