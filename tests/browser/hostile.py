"""A cluster in which every text is an attack: one object of each kind with all of its fields filled, and the stories that
pages tell of such objects: a pod that fails, its events, a custom kind with its columns, an addon's state, a log.

What the API would refuse is stored all the same: an attached cluster, or a later version, may let it in.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from addons import state
from cluster.store import Key, Store, Write
from kube import registry
from kube.objects import Json
from kube.registry import Kind
from kube.schema import definitions
from kube.schema.types import ListOf, MapOf, Ref, Scalar, Struct, Type
from tests.dashboard import world

# Breaks out of attributes of either quote, is a link that runs, an element that runs, and a template of two kinds.
TEXT = (
    "javascript:window.pwned=1//\"'`><img data-pwned src=x onerror=window.pwned=1>{{window.pwned=1}}${window.pwned=1}"
)
# As a name: it has to fit between two slashes of an address.
NAME = "javascript:pwned\"'`><img data-pwned src=x onerror=window.pwned=1>${window.pwned=1}"
NAMESPACE = "default"
ATTACKS = (
    TEXT,
    "<script data-pwned>window.pwned=1</script>",
    "</textarea></title></script><script data-pwned>window.pwned=1</script>",
    "<svg data-pwned onload=window.pwned=1><animate data-pwned onbegin=window.pwned=1 attributeName=x></svg>",
    "<iframe data-pwned srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<form data-pwned action=javascript:window.pwned=1><button data-pwned formaction=javascript:window.pwned=1>",
    "<details data-pwned open ontoggle=window.pwned=1>",
    '" autofocus data-pwned onfocus="window.pwned=1',
    "' autofocus data-pwned onfocus='window.pwned=1",
    "` data-pwned onmouseover=`window.pwned=1",
    "</style><style data-pwned>*{background:url(//pwned.example/a)}</style>",
    "red;background:url(//pwned.example/b);--pwned:1",
    "{{constructor.constructor('window.pwned=1')()}} ${window.pwned=1} {% debug %} <%= pwned %>",
    "\u202e\u2066\u200b\u200d\ufeff pwned \u202c\u2069",
    "\x1b]8;;javascript:window.pwned=1\x07pwned\x1b]8;;\x07 \x1b[31mred",
    "&lt;img data-pwned src=x onerror=window.pwned=1&gt; &#60;script&#62;",
    '=HYPERLINK("//pwned.example/c")',
    "pwned\x00<img data-pwned src=x onerror=window.pwned=1>",
    "//pwned.example/d",
    "__proto__",
    "constructor",
)
HUGE = "<b data-pwned>" + "A" * 100_000
POLLUTED = {"polluted": "yes"}
# What a page may have of all that, besides text: nothing. Told in words; empty when all is well.
FOUND = """() => {
    const told = (element) => element.outerHTML.slice(0, 200);
    const has = (element, name, words) => words.test(element.getAttribute(name) ?? "");
    const runs = /^[\\s\\0-\\x20]*(javascript|data|vbscript):/i;
    const elsewhere = /^\\/\\/|^https?:\\/\\/pwned/i;
    const every = [...document.querySelectorAll("*")];
    const links = ["href", "src", "action", "formaction", "xlink:href", "srcdoc", "data"];
    return [
        ...(window.pwned === undefined ? [] : ["window.pwned"]),
        ...[...Object.keys(Object.prototype), ...Object.keys(Array.prototype)].map((name) => `prototype: ${name}`),
        ...every.filter((e) => e.hasAttribute("data-pwned") || /^(iframe|object|embed|base|animate)$/i.test(e.tagName)),
        ...every.filter((e) => [...e.attributes].some((a) => a.name.startsWith("on") || a.name.startsWith("{"))),
        ...every.filter((e) => links.some((name) => has(e, name, runs) || has(e, name, elsewhere))),
        ...every.filter((e) => has(e, "style", /pwned|url\\(/)),
        ...every.filter((e) => /^(style|script)$/i.test(e.tagName) && !e.src && /pwned/.test(e.textContent)),
    ].map((one) => typeof one === "string" ? one : told(one));
}"""


def pairs() -> Json:
    """A map of attacks to attacks."""
    return {**dict.fromkeys(ATTACKS, TEXT), **{f"n{i}": text for i, text in enumerate(ATTACKS)}}


# -- every field of every kind ------------------------------------------------------------------------------------------

SCALARS: dict[str, Any] = {
    "int32": 1,
    "int64": 1,
    "double": 1.5,
    "bool": True,
    "bytes": base64.b64encode(TEXT.encode()).decode(),
    "time": world.ago(60),
    "microtime": world.ago(60).replace("Z", ".000000Z"),
    "any": {"__proto__": POLLUTED, "constructor": {"prototype": POLLUTED}, TEXT: TEXT},
    "object": {"__proto__": POLLUTED, "constructor": {"prototype": POLLUTED}, TEXT: TEXT},
}


def filled(kind: Type, above: tuple[str, ...] = ()) -> Any:
    """A value of a type in which every text, also of quantities and enumerations, is an attack."""
    match kind:
        case Ref(name=name):
            # A schema may hold schemas: once is enough.
            return None if name in above else filled(definitions.get(name), (*above, name))
        case Struct(fields=fields):
            found = {name: filled(field.type, above) for name, field in fields.items()}
            return {name: value for name, value in found.items() if value is not None}
        case ListOf(item=item):
            one = filled(item, above)
            return [] if one is None else [one]
        case MapOf(value=value):
            one = filled(value, above)
            return {} if one is None else {TEXT: one, "__proto__": one}
        case Scalar(name=name):
            return SCALARS.get(name, TEXT)
    raise TypeError(kind)


def kinds() -> list[Kind]:
    """Each kind that is stored, once. Definitions of kinds are shown by `custom`: one must be good to be served."""
    found = {kind.storage: kind for kind in registry.of_cluster(1).all() if "list" in kind.verbs}
    return [
        kind
        for storage, kind in found.items()
        if storage not in ("customresourcedefinitions.apiextensions.k8s.io", "componentstatuses")
    ]


def named(kind: Kind, body: Json, name: str = NAME) -> tuple[Key, Json]:
    place = NAMESPACE if kind.namespaced else ""
    meta = world.meta(name, place, 600, labels=pairs(), annotations=pairs())
    meta["managedFields"] = [{"manager": TEXT, "operation": TEXT, "apiVersion": TEXT, "time": world.ago(9)}]
    whole = {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    return Key(kind.storage, place, name), whole


def every_kind() -> Iterator[tuple[Key, Json]]:
    for kind in kinds():
        yield named(kind, filled(definitions.get(kind.definition)))


# -- stories ------------------------------------------------------------------------------------------------------------


def failing_pod() -> Json:
    """A pod whose container waits after it was killed, for reasons that are attacks."""
    container = world.container(TEXT, image=TEXT, command=list(ATTACKS), args=[HUGE], workingDir=TEXT)
    container["env"] = [{"name": text, "value": text} for text in ATTACKS]
    container["resources"] = {"requests": {"cpu": TEXT, TEXT: TEXT}, "limits": {"memory": TEXT}}
    pod = world.pod("hostile-pod", NAMESPACE, labels=pairs(), on="harbor-1")
    pod["metadata"]["annotations"] = {**pairs(), "huge": HUGE}
    pod["spec"]["containers"] = [container]
    pod["status"] = world.crashing(TEXT)
    [status] = pod["status"]["containerStatuses"]
    status["image"] = TEXT
    status["state"]["waiting"] = {"reason": "CrashLoopBackOff", "message": "\n".join(ATTACKS)}
    status["lastState"]["terminated"].update(reason=TEXT, message=TEXT)
    pod["status"].update(reason=TEXT, message="\n".join(ATTACKS), podIP=TEXT, qosClass=TEXT)
    for condition in pod["status"]["conditions"]:
        condition.update(reason=TEXT, message=TEXT)
    return pod


def bad_node() -> Json:
    node = world.node("hostile-node", ready=False)
    node["metadata"]["labels"] |= pairs()
    node["spec"]["taints"] = [{"key": text, "value": text, "effect": TEXT} for text in ATTACKS]
    for condition in node["status"]["conditions"]:
        condition.update(reason=TEXT, message=TEXT)
    node["status"]["conditions"].append({"type": TEXT, "status": "True", "reason": TEXT, "message": TEXT})
    node["status"]["nodeInfo"] = dict.fromkeys(node["status"]["nodeInfo"], TEXT)
    node["status"]["addresses"] = [{"type": TEXT, "address": TEXT}]
    node["status"]["capacity"] |= {TEXT: TEXT, "cpu": TEXT}
    return node


def custom() -> list[Json]:
    """A custom kind whose columns are attacks, and one of it."""
    columns: list[Json] = [
        {"name": TEXT, "type": "string", "format": TEXT, "description": TEXT, "jsonPath": ".spec.text"},
        {"name": "__proto__", "type": "string", "description": HUGE, "jsonPath": ".spec.huge"},
        {"name": "constructor", "type": "date", "jsonPath": ".spec.text"},
        {"name": "</th><img data-pwned>", "type": "integer", "format": TEXT, "jsonPath": ".spec.text"},
        {"name": "toString", "type": "string", "jsonPath": ".spec.odd"},
    ]
    definition = world.definition("traps", "Trap", columns)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema.update(title=TEXT, description=TEXT)
    definition["metadata"]["annotations"] = pairs()
    definition["spec"]["names"] |= {"categories": [TEXT], "shortNames": [TEXT]}
    definition["status"]["conditions"].append({"type": TEXT, "status": TEXT, "reason": TEXT, "message": TEXT})
    return [definition]


def trap() -> tuple[Key, Json]:
    spec = {"text": TEXT, "huge": HUGE, "odd": SCALARS["any"], "__proto__": POLLUTED, "constructor": POLLUTED}
    status = {"phase": TEXT, "conditions": [{"type": "Ready", "status": "False", "reason": TEXT, "message": TEXT}]}
    meta = world.meta(NAME, NAMESPACE, 60, labels=pairs(), annotations=pairs())
    body = {"apiVersion": "example.com/v1", "kind": "Trap", "metadata": meta, "spec": spec, "status": status}
    return Key("traps.example.com", NAMESPACE, NAME), body


def addon(name: str) -> Json:
    """The ConfigMap of an addon, with a state as no manager writes it."""
    values = {"replicas": TEXT, "__proto__": TEXT, TEXT: TEXT}
    ended = {"result": TEXT, "tried": values, "in_force": values, "reason": TEXT, "at": TEXT}
    notes = {
        **dict.fromkeys((state.STATE, state.ERROR, state.HEALTH, state.OBSERVED, state.VERSION), TEXT),
        state.REFUSED: json.dumps([TEXT, "replicas"]),
        state.IN_FORCE: json.dumps(values),
        state.LAST: json.dumps(ended),
    }
    return world.config_map(f"addon-{name}", "kube-system", {**values, "enabled": "true"}, annotations=notes)


def write(store: Store, objects: list[tuple[Key, Json]], verb: str = "create") -> None:
    for result in store.write_many([Write(verb, key, body) for key, body in objects]):
        if isinstance(result, Exception):
            raise result


def populate(store: Store, addons: list[str]) -> list[Key]:
    """All of it; returns the keys of what has a page of its own. Each object has two versions, to be compared."""
    world.create(store, *custom(), *(addon(name) for name in addons))
    pod = failing_pod()
    events = [
        world.event(pod, f"hostile.{i}", text, text, "Warning", i, component=text) for i, text in enumerate(ATTACKS)
    ]
    told = [(world.key(one), one) for one in (pod, bad_node(), *events)]
    told += [*every_kind(), trap()]
    write(store, told)
    for _, body in told:
        body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), "second": TEXT, TEXT: "changed"}
    write(store, told, "update")
    return [world.key(pod), Key("nodes", "", "hostile-node"), *(key for key, _ in told if key.name == NAME)]


def audit(var: Path) -> None:
    """The audit log and the trail of the addons, as if somebody had filled them."""
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": TEXT,
        "stage": TEXT,
        "stageTimestamp": world.ago(5),
        "requestReceivedTimestamp": world.ago(5),
        "verb": TEXT,
        "requestURI": f"/api/{TEXT}",
        "user": {"username": TEXT, "groups": list(ATTACKS)},
        "impersonatedUser": {"username": TEXT},
        "sourceIPs": [TEXT],
        "userAgent": TEXT,
        "objectRef": {"resource": TEXT, "namespace": TEXT, "name": TEXT, "subresource": TEXT},
        "responseStatus": {"code": 403, "message": TEXT},
        "annotations": {TEXT: TEXT, "binnacle/options": TEXT},
    }
    (var / "audit").mkdir(exist_ok=True)
    with (var / "audit" / "audit.log").open("a") as file:
        file.writelines(json.dumps({**event, "auditID": str(i)}) + "\n" for i in range(3))
    with sqlite3.connect(var / "cluster.db", timeout=30) as database:
        database.execute(
            "INSERT INTO addons_auditentry (at, addon, action, actor, revision, changes, note) VALUES (1e9,?,?,?,1,?,?)",
            ("dns", "changed", TEXT, json.dumps([[TEXT, TEXT, TEXT]]), TEXT),
        )
