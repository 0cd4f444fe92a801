"""A process that writes as fast as it can and says what was acknowledged: `python -m tests.cluster.writer URL PREFIX`.

Each line of output is "revision name", written after the store answered; a line of "full CODE" tells of a refusal.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from cluster.database import Database
from cluster.store import Key, Store, Write
from kube.errors import ApiError

THREADS = 4


def work(store: Store, prefix: str, thread: int) -> None:
    number = 0
    while True:
        name = f"{prefix}-{thread}-{number}"
        body = {"metadata": {"name": name, "namespace": "d", "uid": name}, "data": {"x": "y" * 2000}}
        try:
            revision = store.write(Write("create", Key("configmaps", "d", name), body)).revision
            line = f"{revision} {name}\n"
        except ApiError as error:
            line = f"full {error.code}\n"
            time.sleep(0.01)
        os.write(1, line.encode())
        number += 1


def main() -> None:
    store = Store(Database(sys.argv[1]))
    threads = [threading.Thread(target=work, args=(store, sys.argv[2], n)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
