"""OpenAPI documents: `/openapi/v2` and `/openapi/v3`, with one document a group and version; each as JSON and as protobuf.

For the HTTP layer: `respond(path, headers, kinds)` with the request's path and query as sent
(`/openapi/v3/apis/apps/v1?hash=…`), its headers (names in lower case) and the kinds of the cluster
(`registry.all()`); the answer is (status, headers, body). Every authenticated user may read them.

A document is built when it is first asked for, kept on disk (`$BINNACLE_VAR/cache`), and read from there: nothing of it
stays in memory. Its name carries a hash of the kinds that are in it, which is also its ETag.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from apiserver.openapi import documents, protobuf, protobuf3
from apiserver.openapi.merging import merged
from apiserver.remotes import Remote
from kube.registry import Kind
from kube.schema.indexed import cache_folder, write_cached

JSON = "application/json"
PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTOBUF_V3 = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
KEEP = 200  # documents on disk, of v2 and of v3 each
Answer = tuple[int, dict[str, str], bytes]


def respond(path: str, headers: Mapping[str, str], kinds: Iterable[Kind], remotes: Sequence[Remote] = ()) -> Answer:
    """The answer to a GET below `/openapi`. `remotes`: servers whose documents are shown with those of this one."""
    url = urlsplit(path)
    kinds = list(kinds)
    if url.path.rstrip("/") == "/openapi/v2":
        return _v2(headers, kinds, remotes)
    groups = documents.by_path(kinds)
    if url.path.rstrip("/") == "/openapi/v3":
        return _index(groups, remotes)
    served = groups.get(url.path.removeprefix("/openapi/v3/").strip("/"))
    if served is None or not url.path.startswith("/openapi/v3/"):
        return 404, {"content-type": "text/plain; charset=utf-8"}, b"404 page not found\n"
    mark = documents.fingerprint(served)
    if _asks(headers, PROTOBUF_V3):
        content, name, build = (
            _named(PROTOBUF_V3),
            f"v3-{mark}.pb",
            lambda: protobuf3.encode(documents.version_3(served)),
        )
    elif _accepts(headers, JSON):
        content, name, build = JSON, f"v3-{mark}.json", lambda: documents.version_3(served)
    else:
        return _not_acceptable(f"{JSON}, {PROTOBUF_V3}")
    answer = _document(name, mark, headers, content, build)
    if parse_qs(url.query).get("hash") == [mark]:
        answer[1]["cache-control"] = "public, immutable"
        answer[1]["expires"] = "Thu, 31 Dec 2037 23:55:55 GMT"
    return answer


def _index(groups: dict[str, list[Kind]], remotes: Sequence[Remote]) -> Answer:
    """Where the documents are, with the hash that lets clients cache them for ever."""
    import orjson

    paths = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={documents.fingerprint(kinds)}"}
        for path, kinds in groups.items()
    }
    for remote in remotes:
        path = f"apis/{remote.group}/{remote.version}"
        paths.pop(path, None)
        if remote.known.v3:
            paths[path] = {"serverRelativeURL": remote.known.v3}
    return 200, {"content-type": JSON}, orjson.dumps({"paths": paths})


def _v2(headers: Mapping[str, str], kinds: list[Kind], remotes: Sequence[Remote]) -> Answer:
    mark = documents.fingerprint(kinds, remotes)

    def build() -> bytes:
        return merged(documents.version_2(kinds), remotes)

    if _asks(headers, PROTOBUF_V2):
        return _document(f"v2-{mark}.pb", mark, headers, _named(PROTOBUF_V2), lambda: protobuf.encode(build()))
    if not _accepts(headers, JSON):
        return _not_acceptable(f"{JSON}, {PROTOBUF_V2}")
    return _document(f"v2-{mark}.json", mark, headers, JSON, build)


def _document(name: str, mark: str, headers: Mapping[str, str], content_type: str, build: documents.Builder) -> Answer:
    """A document from disk, made if it is not there; 304 when the client has it already."""
    answer = {"content-type": content_type, "etag": f'"{mark}"', "vary": "Accept-Encoding, Accept"}
    if f'"{mark}"' in headers.get("if-none-match", ""):
        return 304, answer, b""
    path = cache_folder() / f"{name}.gz"
    if not path.exists():
        # The folder is bounded: custom kinds come and go, and each set of kinds leaves a document.
        kept = cache_folder().glob(f"{name.split('-', 1)[0]}-*.gz")
        for old in sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True)[KEEP:]:
            old.unlink(missing_ok=True)
        path = write_cached(path.name, gzip.compress(build(), compresslevel=5, mtime=0))
    packed = path.read_bytes()
    if "gzip" in headers.get("accept-encoding", ""):
        return 200, {**answer, "content-encoding": "gzip"}, packed
    return 200, answer, gzip.decompress(packed)


def _named(protobuf: str) -> str:
    """What the answer is called: "@" is allowed where clients accept it, but not in a media type."""
    return protobuf.replace("@", ".")


def _asks(headers: Mapping[str, str], protobuf: str) -> bool:
    accept = headers.get("accept", "")
    return protobuf in accept or _named(protobuf) in accept


def _accepts(headers: Mapping[str, str], content_type: str) -> bool:
    accept = headers.get("accept", "*/*")
    ranges = [part.split(";", 1)[0].strip() for part in accept.split(",")]
    return any(part in ("", "*/*", "application/*", content_type) for part in ranges)


def _not_acceptable(offered: str) -> Answer:
    text = f"406 Not Acceptable: only {offered} is served here\n"
    return 406, {"content-type": "text/plain; charset=utf-8"}, text.encode()
