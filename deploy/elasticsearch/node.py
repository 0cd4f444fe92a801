"""A real Elasticsearch from its published jars, without a container.

    python deploy/elasticsearch/node.py install HOME            the jars, by Maven; 60 MB
    python deploy/elasticsearch/node.py run HOME DATA PORT      until it is told to stop; on 127.0.0.1, or --address

`install` needs Java 17 with its compiler and Maven (Debian: openjdk-17-jdk-headless, maven).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULE = "transport-netty4"
# In the module's folder, not among the server's jars: each is in one layer of Java modules.
MODULE_JARS = ("netty-*.jar", "transport-netty4-*.jar", "elasticsearch-ssl-config-*.jar")
HEAP = "512m"


def install(home: Path) -> None:
    """Fetches and arranges the jars below `home`, and compiles what starts them; what is done already is not done again.

    Raises CalledProcessError with Maven's words.
    """
    home.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=home, prefix="install-"))
    try:
        if not (home / "modules").exists():
            _fetch(home, work)
        if not installed(home):
            _compile(home, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def installed(home: Path) -> bool:
    """Whether all is there, of this very source."""
    source = home / "classes" / "Main.java"
    return source.exists() and source.read_bytes() == (HERE / "Main.java").read_bytes()


def _fetch(home: Path, work: Path) -> None:
    lib, module = work / "lib", work / "modules" / MODULE
    subprocess.run(
        ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={lib}"],
        check=True,
        stdout=sys.stderr,
    )
    _arrange(lib, module)
    (work / "config").mkdir()
    for name in ("lib", "config", "modules"):  # modules last: they say that all jars are there
        _place(work / name, home / name)


def _compile(home: Path, work: Path) -> None:
    classes = work / "classes"
    subprocess.run(["javac", "-d", str(classes), "-cp", f"{home / 'lib'}/*", str(HERE / "Main.java")], check=True)
    shutil.copy(HERE / "Main.java", classes)
    _place(classes, home / "classes")


def _place(made: Path, where: Path) -> None:
    shutil.rmtree(where, ignore_errors=True)
    made.rename(where)


def _arrange(lib: Path, module: Path) -> None:
    module.mkdir(parents=True)
    for pattern in MODULE_JARS:
        for jar in lib.glob(pattern):
            jar.rename(module / jar.name)
    inside = f"META-INF/es-plugins/{MODULE}/"
    with zipfile.ZipFile(next(module.glob(f"{MODULE}-*.jar"))) as archive:
        for name in archive.namelist():
            if name.startswith(inside) and not name.endswith("/"):
                (module / Path(name).name).write_bytes(archive.read(name))


def command(home: Path, data: Path, port: int, heap: str = HEAP, address: str = "127.0.0.1") -> list[str]:
    """What starts the node: it answers on `address`:`port` some seconds later."""
    # One collector thread and the quick compiler: this is for one machine, shared with a whole cluster.
    return [
        "java",
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "--module-path",
        str(home / "lib"),
        "--add-modules",
        "org.elasticsearch.server,jdk.net,java.management",
        "-cp",
        str(home / "classes"),
        "Main",
        str(home),
        str(data),
        address,
        str(port),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="node.py", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install").add_argument("home", type=Path)
    run = commands.add_parser("run")
    run.add_argument("home", type=Path)
    run.add_argument("data", type=Path)
    run.add_argument("port", type=int)
    run.add_argument("--heap", default=HEAP)
    run.add_argument("--address", default="127.0.0.1", help="to listen on; anybody who reaches it may read and write")
    found = parser.parse_args()
    if found.command == "install":
        install(found.home.resolve())
        return
    if not installed(found.home):
        sys.exit(f"node.py: nothing is installed in {found.home}: `node.py install {found.home}` first")
    found.data.mkdir(parents=True, exist_ok=True)
    words = command(found.home.resolve(), found.data.resolve(), found.port, found.heap, found.address)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
