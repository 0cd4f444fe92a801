"""`python -m config up|down|status|clean`: what the Makefile calls."""

from __future__ import annotations

import argparse
import sys

import environment
from config.preflight import Refused


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config", description="Start, stop and inspect a Binnacle cluster.")
    parser.add_argument("command", choices=["up", "down", "status", "clean"])
    parser.add_argument("--detach", action="store_true", help="return when the cluster is up")
    arguments = parser.parse_args()
    var = environment.VAR.get().resolve()
    try:
        if arguments.command == "up":
            from config.up import up

            return up(var, detach=arguments.detach)
        if arguments.command == "status":
            from config.status import status

            return status(var)
        from config.down import clean, down

        return (down if arguments.command == "down" else clean)(var)
    except (Refused, ValueError) as error:
        print(f"binnacle: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
