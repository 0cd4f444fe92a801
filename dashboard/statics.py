"""The page's scripts, styles and fonts, served from memory under a path that names their content.

`static/<build>/…`: the build is a hash over all files, so that a browser may keep each for ever and a new release is
fetched at once. Relative imports between modules stay inside the same build.
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent / "static"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
}
_STATIC_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*["'](\.[^"']+)["']""")


class Asset(NamedTuple):
    type: str
    plain: bytes
    packed: bytes | None


@cache
def assets() -> dict[str, Asset]:
    """All files by relative path."""
    found = {}
    for path in sorted(ROOT.rglob("*")):
        if path.suffix in TYPES:
            plain = path.read_bytes()
            text = path.suffix in (".js", ".css", ".svg", ".json")
            packed = gzip.compress(plain, 6, mtime=0) if text and len(plain) > 500 else None
            found[str(path.relative_to(ROOT))] = Asset(TYPES[path.suffix], plain, packed)
    return found


@cache
def build() -> str:
    """The name of this set of files."""
    total = hashlib.sha256()
    for name, asset in assets().items():
        total.update(name.encode() + b"\0" + hashlib.sha256(asset.plain).digest())
    return total.hexdigest()[:12]


@cache
def modules() -> list[str]:
    """The scripts that the first page needs, to be fetched at once instead of one import after the other: what boot.js
    imports, what that imports, and so on; not what `import(…)` fetches when it is first shown."""
    found: list[str] = []
    to_read = ["js/boot.js"]
    while to_read:
        name = to_read.pop()
        for target in _STATIC_IMPORT.findall(assets()[name].plain.decode()):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            if path not in found:
                found.append(path)
                to_read.append(path)
    return sorted(found)
