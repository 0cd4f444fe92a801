"""Bring the browser libraries in from npm: `python -m dashboard.vendor [check]`.

The page has no build step and its policy allows no inline import map, so bare imports (`from "preact"`) are rewritten to
the files beside them. `static/vendor/manifest.json` records, for each file, the package, its version and npm integrity,
and the SHA-384 of the file as it lies here; `check` (and a test) compare those.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent / "static" / "vendor"

# file here -> (package, version, path inside the package)
FILES = {
    "preact.js": ("preact", "11.2.0", "dist/preact.mjs"),
    "preact-hooks.js": ("preact", "11.2.0", "hooks/dist/hooks.mjs"),
    "htm.js": ("htm", "3.1.1", "dist/htm.mjs"),
    "signals-core.js": ("@preact/signals-core", "1.14.5", "dist/signals-core.mjs"),
    "signals.js": ("@preact/signals", "2.11.4", "dist/signals.mjs"),
    "uplot.js": ("uplot", "1.6.32", "dist/uPlot.esm.js"),
    "uplot.css": ("uplot", "1.6.32", "dist/uPlot.min.css"),
    "inter.woff2": ("@fontsource-variable/inter", "5.3.0", "files/inter-latin-wght-normal.woff2"),
    "mono.woff2": ("@fontsource-variable/jetbrains-mono", "5.3.0", "files/jetbrains-mono-latin-wght-normal.woff2"),
}
BARE = {"preact": "./preact.js", "preact/hooks": "./preact-hooks.js", "@preact/signals-core": "./signals-core.js"}


def digest(data: bytes) -> str:
    """A subresource-integrity value."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def localise(source: bytes) -> bytes:
    """Point bare imports at the files beside, and drop source-map comments (the maps are not shipped)."""
    text = source.decode()
    for bare, here in BARE.items():
        text = text.replace(f'from"{bare}"', f'from"{here}"').replace(f'from "{bare}"', f'from "{here}"')
    return re.sub(r"\n?//# sourceMappingURL=.*\n?$", "\n", text).encode()


def download(package: str, version: str, folder: Path) -> tuple[tarfile.TarFile, str]:
    """Fetch one package with the npm client; returns the open archive and npm's integrity of it."""
    done = subprocess.run(
        ["npm", "pack", "--json", f"{package}@{version}"],
        cwd=folder,
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    info = told[0] if isinstance(told, list) else next(iter(told.values()))
    return tarfile.open(folder / info["filename"]), info["integrity"]


def member(archive: tarfile.TarFile, path: str) -> bytes:
    handle = archive.extractfile(f"package/{path}")
    if handle is None:
        raise FileNotFoundError(f"{path} is not a file of this package")
    return handle.read()


def fetch() -> None:
    """Download every package once and write files, licences and the manifest."""
    manifest = {}
    with tempfile.TemporaryDirectory() as scratch:
        archives = {(p, v): download(p, v, Path(scratch)) for p, v, _ in FILES.values()}
        for name, (package, version, path) in FILES.items():
            archive, integrity = archives[package, version]
            data = member(archive, path)
            data = localise(data) if name.endswith(".js") else data
            (HERE / name).write_bytes(data)
            licence = "LICENSE-" + package.strip("@").replace("/", "-")
            (HERE / licence).write_bytes(member(archive, "LICENSE"))
            manifest[name] = {
                "package": package,
                "version": version,
                "path": path,
                "npm_integrity": integrity,
                "integrity": digest(data),
                "licence": licence,
            }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def check() -> list[str]:
    """Names of vendored files that are missing, unknown or differ from the manifest."""
    manifest = json.loads((HERE / "manifest.json").read_text())
    wrong = [
        name
        for name, entry in manifest.items()
        if not (HERE / name).is_file() or digest((HERE / name).read_bytes()) != entry["integrity"]
    ]
    unknown = {p.name for p in HERE.iterdir()} - manifest.keys() - {"manifest.json"}
    return wrong + sorted(unknown - {entry["licence"] for entry in manifest.values()})


if __name__ == "__main__":
    if sys.argv[1:] != ["check"]:
        fetch()
    problems = check()
    sys.exit(f"vendored files differ from manifest.json: {', '.join(problems)}" if problems else 0)
