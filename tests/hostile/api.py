"""Requests to the API server, drawn from the documents that it serves about itself."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import orjson

from kube import protobuf, yamltext
from kube.errors import ApiError
from kube.objects import Json
from tests.hostile import words
from tests.hostile.drive import Asked
from tests.hostile.schema import Schema

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
ACCEPTS = (
    "*/*", JSON, YAML, PROTOBUF, f"{PROTOBUF}, {JSON}", "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", "text/html", "application/json;as=;v",
    ";;,,=", "\xff",
)  # fmt: skip
# What would decide about all requests that come after: only tried, never stored.
DECIDES = ("admissionregistration", "apiregistration", "flowcontrol", "apiextensions")
NAMESPACES = ("work", "pages", "absent", "default", "kube-system")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")
FIXED = (
    "/", "/version", "/metrics", "/healthz", "/healthz/ping", "/livez?verbose", "/readyz?exclude=x", "/api", "/apis",
    "/api/v1",
    "/apis/apps/v1", "/apis/none", "/apis/apps/v9", "/openapi/v2", "/openapi/v3", "/openapi/v3/apis/apps/v1?hash=x",
    "/openapi/v3/../v2",
    "/apis/metrics.k8s.io/v1beta1", "/apis/metrics.k8s.io/v1beta1/nodes",
    "/apis/metrics.k8s.io/v1beta1/namespaces/work/pods",
    "/apis/metrics.k8s.io/v1beta1/nodes/n1", "/apis/metrics.k8s.io/v1beta1/namespaces/work/pods/far", "*",
    "http://x/api",
)  # fmt: skip
OPTIONS = (
    "watch", "limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch",
    "timeoutSeconds",
    "allowWatchBookmarks", "sendInitialEvents", "includeObject", "pretty", "dryRun", "fieldManager",
    "fieldValidation", "force",
    "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "container", "follow", "previous", "sinceSeconds",
    "sinceTime",
    "tailLines", "limitBytes", "timestamps", "stream", "command", "ports", "stdin", "tty", "path",
)  # fmt: skip
SELECTORS = (
    "app=web", "app in (a,b)", "!app", "a=b,c!=d", "app notin (x)", "app in (", "=x", "a==", "(((", ",,,", "a>1",
    "a<1", "x/y/z=1",
    "metadata.name=web", "metadata.namespace!=work", "spec.nodeName=n1", "status.phase=Running", "spec.unknown=x",
    "metadata.name", "a\\,b=c",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path, with the kind that it is about and the schema of its body."""

    method: str
    path: str
    kind: str
    api_version: str
    body: Json | None
    options: tuple[str, ...]


def operations(documents: list[Json]) -> list[Operation]:
    found = []
    for document in documents:
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method == "parameters":
                    continue
                about = operation.get("x-kubernetes-group-version-kind") or {}
                group, version = about.get("group", ""), about.get("version", "")
                content = operation.get("requestBody", {}).get("content", {})
                schema = next(iter(content.values()), {}).get("schema") if content else None
                options = tuple(
                    p["name"]
                    for p in (*operation.get("parameters", ()), *item.get("parameters", ()))
                    if p["in"] == "query"
                )
                kind = about.get("kind", "")
                found.append(
                    Operation(method.upper(), path, kind, f"{group}/{version}" if group else version, schema, options)
                )
    return found


class Generator:
    """An endless row of requests; `heard` lets it learn names and tokens from the answers."""

    def __init__(
        self, rng: Random, documents: list[Json], seeds: dict[str, list[Json]], token: str, behind: tuple[str, ...] = ()
    ) -> None:
        self._rng, self._seeds, self._token, self._behind = rng, seeds, token, behind
        self._operations = operations(documents)
        self._schema = Schema({k: v for d in documents for k, v in d.get("components", {}).get("schemas", {}).items()})
        self._paths: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in self._operations:
            self._paths[operation.kind].append(operation)
        self._kinds = sorted(self._paths)
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        self._continues: list[str] = ["eyJ2IjoibWV0YS5rOHMuaW8vdjEi", "W10", "WzEsIiIsIiJd", "WzksIngiLCJ5Il0"]
        self._writers: dict[str, Callable[[Any], bytes]] = {
            JSON: self._json,
            YAML: self._yaml,
            PROTOBUF: self._protobuf,
        }

    def __iter__(self) -> Iterator[Asked]:
        return self

    def __next__(self) -> Asked:
        chance = self._rng.random()
        if chance < 0.04:
            return self._fixed()
        if chance < 0.07 and self._behind:
            return self._passed_on()
        # By kind first: those with few operations are asked as often as pods.
        return self._of(self._rng.choice(self._paths[self._rng.choice(self._kinds)]))

    def heard(self, asked: Asked, status: int, body: bytes) -> None:
        if status == 201 and len(body) < 100_000 and body[:1] == b"{":
            try:
                obj = orjson.loads(body)
            except orjson.JSONDecodeError:
                return
            name = (obj.get("metadata") or {}).get("name")
            if name:
                known = self._names[obj.get("kind", "")]
                known.append(name)
                del known[:-20]
        elif status == 200 and b'"continue":"' in body[:500]:
            self._continues.append(body[:2000].partition(b'"continue":"')[2].partition(b'"')[0].decode("latin-1"))
            del self._continues[:-20]

    # -- kinds of requests ----------------------------------------------------------------------------------------------

    def _fixed(self) -> Asked:
        rng = self._rng
        target = rng.choice(FIXED)
        method = "GET" if rng.random() < 0.7 else rng.choice(METHODS)
        return Asked(method, self._path(target), self._headers(None), stream=True)

    def _passed_on(self) -> Asked:
        """Through the proxies and to the kubelet, for objects that nobody changes."""
        rng = self._rng
        target = rng.choice(self._behind)
        if "/proxy" in target:
            target += quote(rng.choice(("", "/", "/page", "/move", "/" + words.text(rng)[:200])), safe="/%?&=")
        method = rng.choice(METHODS[:6])
        body = words.noise(rng, rng.randrange(200)) if method in ("POST", "PUT", "PATCH") else b""
        upgrade = (("Connection", "Upgrade"), ("Upgrade", "websocket")) if rng.random() < 0.1 else ()
        query = self._query(("container", "follow", "tailLines", "command", "ports", "sinceTime", "limitBytes"), 0.3)
        return Asked(
            method, self._path(target) + query, (*self._headers(None), *upgrade), body, stream=True, behind=True
        )

    def _of(self, operation: Operation) -> Asked:
        rng, method = self._rng, operation.method
        if rng.random() < 0.03:
            method = rng.choice(METHODS)
        elif method == "GET" and rng.random() < 0.15:
            method = "HEAD"
        path = operation.path
        for place in ("{namespace}", "{path}", "{logpath}"):
            path = path.replace(
                place,
                self._segment(rng.choice(NAMESPACES) if place == "{namespace}" and rng.random() < 0.3 else "work"),
            )
        known = self._names.get(operation.kind)
        name = rng.choice(known) if known and rng.random() < 0.7 else rng.choice(("x", "web", "absent", "n1", "a"))
        path = path.replace("{name}", self._segment(name))
        if any(path.endswith(end) for end in ("/proxy", "/log", "/exec", "/attach", "/portforward")):
            path = path.replace(f"/{name}/", "/absent/")  # nobody listens where a made-up object says so
        kind, body = "", b""
        if method in ("POST", "PUT", "PATCH") or (method == "DELETE" and rng.random() < 0.3):
            kind, body = self._patch(operation) if method == "PATCH" else self._body(operation)
        query = self._query(operation.options, 0.18)
        must_not_stay = any(word in path for word in DECIDES) or (
            path.startswith("/api/v1/namespaces/") and path.count("/") < 6 and method in ("DELETE", "PUT", "PATCH")
        )
        if method not in ("GET", "HEAD") and (must_not_stay or rng.random() < 0.15):
            query = f"{query or '?'}&dryRun=All" if "dryRun" not in query else query.replace("dryRun", "dryRun=All&x")
        watches = "watch" in query or "/watch/" in path
        return Asked(
            method, self._path(path) + query, self._headers(kind or None), body, stream=watches or method == "CONNECT"
        )

    # -- parts ------------------------------------------------------------------------------------------------------------

    def _segment(self, good: str) -> str:
        rng = self._rng
        return good if rng.random() < 0.95 else quote(words.text(rng)[:3000], safe=rng.choice(("", "/:", "%")))

    def _path(self, path: str) -> str:
        rng = self._rng
        if rng.random() < 0.97 or not path.startswith("/"):
            return path
        at = rng.randrange(1, len(path) + 1)
        odd = rng.choice(
            (
                "/",
                "//",
                "%2f",
                "%00",
                "%ff%fe",
                "/../",
                "/./",
                ";",
                "%",
                "%zz",
                "?",
                "%23",
                "%e9",
                "%0d%0a",
                "/" + "y" * 5000,
            )
        )
        return path[:at] + odd + path[at:]

    def _query(self, offered: tuple[str, ...], chance: float) -> str:
        rng = self._rng
        names = [name for name in offered if rng.random() < chance]
        if rng.random() < 0.1:
            names.append(rng.choice(OPTIONS))
        pairs = [f"{name}={quote(self._option(name), safe='')}" for name in names]
        if rng.random() < 0.02:
            pairs.append(rng.choice(("%", "a=%zz", "=", "&&&", "watch", "%00=%00", "x=" + "y" * 4000)))
        return "?" + "&".join(pairs) if pairs else ""

    def _option(self, name: str) -> str:
        rng = self._rng
        if name == "continue":
            token = rng.choice(self._continues)
            return token if rng.random() < 0.4 else words.spoilt(rng, token.encode()).decode("latin-1")
        if rng.random() < 0.25:
            return words.text(rng)[:3000]
        if "elector" in name:
            picked = ",".join(rng.choice(SELECTORS) for _ in range(rng.randrange(1, 3)))
            return picked if rng.random() < 0.8 else words.spoilt(rng, picked.encode()).decode("latin-1")[:3000]
        if name in ("fieldManager", "container", "command"):
            return rng.choice(("m", "c", "x" * 129, "a\nb", "é"))
        words_of = {
            "dryRun": ("All", "None"), "fieldValidation": ("Strict", "Warn", "Ignore", "x"), "includeObject": ("None",
            "Metadata", "Object"),
            "resourceVersionMatch": ("Exact", "NotOlderThan", "x"), "propagationPolicy": ("Orphan", "Background",
            "Foreground", "x"),
            "sinceTime": ("2026-11-30T00:00:00Z", "x"), "resourceVersion": ("0", "1", "5", "9999", "99999999",
            str(2**63), str(2**64), "x"),
            "timeoutSeconds": ("1", "0", "-1", str(2**63), "1" + "0" * 400),
        }  # fmt: skip
        return str(rng.choice(words_of.get(name, ("true", "false", "1", "0", *words.NUMBERS))))

    def _headers(self, content_type: str | None) -> tuple[tuple[str, str], ...]:
        rng = self._rng
        found = [("Host", "localhost"), ("Authorization", f"Bearer {self._token}")]
        if rng.random() < 0.03:
            found[1] = (
                "Authorization",
                rng.choice(("Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer " + "x" * 9000, "\xe9", "")),
            )
        if rng.random() < 0.5:
            found.append(("Accept", rng.choice(ACCEPTS if rng.random() < 0.2 else ACCEPTS[:8])))
        if content_type is not None:
            found.append(("Content-Type", content_type))
        if rng.random() < 0.1:
            found.append(("Accept-Encoding", rng.choice(("gzip", "br", "*;q=0", "\xff"))))
        if rng.random() < 0.03:
            name = rng.choice(
                (
                    "Impersonate-User",
                    "Impersonate-Group",
                    "Impersonate-Uid",
                    "Impersonate-Extra-a%zz",
                    "Impersonate-Extra-",
                )
            )
            found.append(
                (name, rng.choice(("bob", "system:masters", "system:serviceaccount:work:default", "\xe9", "")))
            )
        if rng.random() < 0.05:
            name = rng.choice(
                (
                    "If-None-Match",
                    "If-Match",
                    "Content-Encoding",
                    "X-Forwarded-For",
                    "Expect",
                    "Range",
                    "User-Agent",
                    "Cookie",
                )
            )
            found.append((name, rng.choice(("*", "gzip", "bytes=0-5", "curl/8", "\xe9" * 9, 'x="', "y" * 3000))))
        return tuple(found)

    # -- bodies -----------------------------------------------------------------------------------------------------------

    def _object(self, operation: Operation) -> Any:
        """An object that might be meant: a recorded one or one of the schema's, in part bent."""
        rng = self._rng
        known = self._seeds.get(operation.kind)
        chance = rng.random()
        if known and chance < 0.6:
            obj = rng.choice(known)
        elif operation.body is not None and chance < 0.97:
            obj = self._schema.value(rng, operation.body)
        else:
            return words.anything(rng, 4)
        obj = words.bent(rng, obj, rng.choice((0, 0, 1, 1, 2, 4)))
        if isinstance(obj, dict) and rng.random() < 0.9:
            obj.update(kind=operation.kind, apiVersion=operation.api_version)
            metadata = obj.get("metadata")
            if isinstance(metadata, dict) and rng.random() < 0.8:
                name = (
                    f"f{rng.randrange(400)}"
                    if operation.method == "POST"
                    else rng.choice(self._names.get(operation.kind) or ["x"])
                )
                metadata.update(name=name, namespace="work") if "{namespace}" in operation.path else metadata.update(
                    name=name
                )
                if rng.random() < 0.8:
                    for odd in ("resourceVersion", "uid", "deletionTimestamp"):
                        metadata.pop(odd, None)
        return obj

    def _body(self, operation: Operation) -> tuple[str, bytes]:
        rng = self._rng
        kind = rng.choices((JSON, YAML, PROTOBUF), (6, 2, 2))[0]
        data = self._writers[kind](self._object(operation))
        if rng.random() < 0.06:
            data = words.spoilt(rng, data)
        if rng.random() < 0.04:
            kind = rng.choice(
                (
                    "",
                    "text/plain",
                    "application/json; charset=x",
                    "application/cbor",
                    YAML,
                    JSON,
                    PROTOBUF,
                    "\xe9",
                    *PATCHES,
                )
            )
        return kind, data

    def _patch(self, operation: Operation) -> tuple[str, bytes]:
        rng = self._rng
        kind = rng.choice(PATCHES)
        obj = self._object(operation)
        if kind == PATCHES[0]:
            data = self._json(self._steps(obj))
        else:
            if isinstance(obj, dict) and rng.random() < 0.4:  # a part of it, and directives
                obj = {key: value for key, value in obj.items() if rng.random() < 0.6} | rng.choice(
                    (
                        {},
                        {"$patch": "replace"},
                        {"$patch": "x"},
                        {"$retainKeys": ["a"]},
                        {"$setElementOrder/x": [1]},
                        {"spec": None},
                    )
                )
            data = self._yaml(obj) if kind == PATCHES[3] and rng.random() < 0.4 else self._json(obj)
        return kind, words.spoilt(rng, data) if rng.random() < 0.1 else data

    def _steps(self, obj: Any) -> Any:
        """A JSON patch whose paths mostly lead into the object."""
        rng = self._rng
        steps: list[Any] = []
        for _ in range(rng.randrange(4)):
            path, value = "", obj
            while isinstance(value, dict | list) and value and rng.random() < 0.8:
                key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
                path, value = f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}", value[key]
            operation = rng.choice(("add", "remove", "replace", "move", "copy", "test", "x"))
            paths = (
                path,
                path,
                path,
                path + "/-",
                path + "/99999999999",
                "/a~9",
                "a",
                "/metadata/labels",
                "/metadata/managedFields/0",
            )
            steps.append(
                {"op": operation, "path": rng.choice(paths), "from": rng.choice(paths), "value": words.anything(rng, 2)}
            )
        return steps if rng.random() < 0.9 else words.bent(rng, steps, 3)

    def _json(self, obj: Any) -> bytes:
        return json.dumps(obj).encode("utf-8", "surrogatepass")

    def _yaml(self, obj: Any) -> bytes:
        try:
            data = yamltext.write(obj)
        except (ValueError, RecursionError, OverflowError):
            return self._json(obj)
        if self._rng.random() < 0.3 and b": " in data:
            at = self._rng.choice([i for i in range(len(data)) if data[i : i + 2] == b": "][:500])
            data = data[: at + 2] + self._rng.choice(words.BARE).encode() + data[at + 2 :]
        return data

    def _protobuf(self, obj: Any) -> bytes:
        try:
            return protobuf.encode(obj)
        except (ApiError, ValueError, TypeError, KeyError, AttributeError, LookupError, OverflowError, RecursionError):
            return b"k8s\x00" + words.spoilt(self._rng, self._json(obj))
