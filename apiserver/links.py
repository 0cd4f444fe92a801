"""Links of pages that the proxy passes on: what leads to the root of the site behind it must lead back through the proxy."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import urlsplit

# The attributes that hold an address, by element.
_ATTRIBUTES = {
    b"a": {b"href"},
    b"applet": {b"codebase"},
    b"area": {b"href"},
    b"audio": {b"src"},
    b"base": {b"href"},
    b"blockquote": {b"cite"},
    b"body": {b"background"},
    b"button": {b"formaction"},
    b"command": {b"icon"},
    b"del": {b"cite"},
    b"embed": {b"src"},
    b"form": {b"action"},
    b"frame": {b"longdesc", b"src"},
    b"head": {b"profile"},
    b"html": {b"manifest"},
    b"iframe": {b"longdesc", b"src"},
    b"img": {b"longdesc", b"src", b"usemap"},
    b"input": {b"src", b"usemap", b"formaction"},
    b"ins": {b"cite"},
    b"link": {b"href"},
    b"object": {b"classid", b"codebase", b"data", b"usemap"},
    b"q": {b"cite"},
    b"script": {b"src"},
    b"source": {b"src"},
    b"video": {b"poster", b"src"},
}
_RAW = {
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
    b"iframe",
    b"noembed",
    b"noframes",
}  # what is in them is text
_TAG = re.compile(rb"""<([A-Za-z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*+)>""")
_OPENS = re.compile(rb"<(?=[A-Za-z])|<!--")
_ATTRIBUTE = re.compile(rb"""([^\s=/>"']++)(\s*+=\s*+)("[^"]*"|'[^']*'|[^\s>"']++)""")


def moved(address: str, prefix: str, hosts: tuple[str, ...]) -> str:
    """An address below `prefix`, if it leads to the root of one of these hosts, or of the page's own; else as it was."""
    try:
        url = urlsplit(address)
    except ValueError:
        return address
    if not url.path.startswith("/") or (url.netloc and url.netloc not in hosts):
        return address
    path = url.path if url.path.startswith(prefix) else prefix + url.path
    return url._replace(scheme="", netloc="", path=path).geturl()


def rewritten(page: bytes, move: Callable[[str], str]) -> bytes:
    """The page with its addresses moved. Time is linear: from a tag that never ends on, all stays as it is."""
    pieces: list[bytes] = []
    done = at = 0
    while opening := _OPENS.search(page, at):
        if opening[0] == b"<!--":
            at = _after(page, b"-->", opening.end())
            continue
        tag = _TAG.match(page, opening.start())
        if tag is None:
            break
        at, name = tag.end(), tag[1].lower()
        wanted = _ATTRIBUTES.get(name)
        if wanted:
            pieces += (page[done : tag.start(2)], _attributes(tag[2], wanted, move))
            done = tag.end(2)
        if name in _RAW:
            closing = re.compile(rb"</" + name, re.IGNORECASE).search(page, at)
            at = closing.end() if closing else len(page)
    return b"".join([*pieces, page[done:]])


def _after(page: bytes, what: bytes, at: int) -> int:
    found = page.find(what, at)
    return found + len(what) if found >= 0 else len(page)


def _attributes(text: bytes, wanted: set[bytes], move: Callable[[str], str]) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        if found[1].lower() not in wanted:
            return found[0]
        value = html.unescape(found[3].strip(b"\"'").decode("utf-8", "surrogateescape"))
        new = move(value)
        if new == value:
            return found[0]
        return found[1] + found[2] + b'"' + html.escape(new).encode("utf-8", "surrogateescape") + b'"'

    return _ATTRIBUTE.sub(one, text)
