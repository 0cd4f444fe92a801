"""Random documents and queries, and a matcher that is as plain as the language's description."""

from __future__ import annotations

import random
import re

from kube import clock
from kube.objects import Json
from logs.pairs import NUMBER, at, leaves
from logs.query import fields, moments
from logs.query.nodes import All, And, AnyOf, Exists, Glob, Node, Not, Or, Range, Words
from logs.record import LEVELS

WORDS = (
    "timeout",
    "Connection",
    "refused",
    "disk",
    "full",
    "GET",
    "api",
    "10.0.0.5",
    "10.0.0.50",
    "user_id",
    "a.b.Handler",
    "retry",
    "3.14",
    "Handler",
    "naïve",
    "ÜBER",
    "x1",
)
SEPARATORS = (" ", " ", " ", ", ", "=", "/", ": ", "-", " [", "] ", '"', ".", ",", ":", "'", "_")
TOKEN = re.compile(r"(?:[^\W\d_](?:[.:'’·][^\W\d_])+|\d(?:[.,;'’]\d)+|\w)+")


def document(random: random.Random, number: int, start: int) -> Json:
    """One of many: few values, so that queries meet; some moments are shared."""
    source = random.choice(("container", "container", "container", "event", "node", "control-plane"))
    kubernetes: Json = {"container": random.choice(("app", "sidecar")), "node": random.choice(("n1", "n2"))}
    if source in ("container", "event"):
        kubernetes |= {
            "namespace": random.choice(("shop", "bank", "kube-system")),
            "pod": f"web-{random.randrange(12)}",
            "labels": {"app.kubernetes.io/name": random.choice(("web", "db")), "tier": str(random.randrange(4))},
        }
        if random.random() < 0.7:
            kind = random.choice(("Deployment", "StatefulSet"))
            kubernetes["workload"] = {"kind": kind, "name": random.choice(("web", "db"))}
    moment = clock.stamp_nano(start + random.randrange(400) * 10**9)
    found: Json = {
        "_id": f"{random.getrandbits(128):032x}",
        "@timestamp": moment,
        "message": _message(random),
        "source": source,
        "kubernetes": kubernetes,
    }
    if random.random() < 0.8:
        found["level"] = random.choice(LEVELS)
    if random.random() < 0.6:
        found["stream"] = random.choice(("stdout", "stderr"))
    if random.random() < 0.6:
        found["fields"] = {
            "status": random.choice((200, 404, 500, -3, "503", "abc", 2.5, True)),
            "deep": {"list": [random.randrange(5), "x"], "dotted.name": random.choice(("y z", "q*"))},
        }
    return found


def _message(random: random.Random) -> str:
    parts = [random.choice(WORDS) + random.choice(SEPARATORS) for _ in range(random.randrange(1, 9))]
    return "".join(parts) + f"n{random.randrange(30)}"


TERMS = (
    "timeout",
    "CONNECTION",
    '"connection refused"',
    '"disk full"',
    "10.0.0.5",
    "hand*",
    "*.handler",
    "n1?",
    "user_id",
    "naïve",
    "über",
    "x1",
    "nothing",
    "level:error",
    "level:>=warn",
    "level:{debug TO warn]",
    "level:<info",
    "level:*",
    "ns:shop",
    "namespace:(shop OR bank)",
    "ns:sh*",
    "pod:web-1?",
    "pod:web-3",
    "container:app",
    "node:n1",
    "stream:stderr",
    "stream:*",
    "source:event",
    "workload:web",
    "workload:Deployment/db",
    "kind:Stateful*",
    "labels.app.kubernetes.io/name:web",
    "labels.tier:>=2",
    "labels.tier:3",
    "labels.app.kubernetes.io/name:d*",
    "fields.status:500",
    "fields.status:>=404",
    "fields.status:[-3 TO 200]",
    "fields.status:{200 TO 503}",
    "fields.status:*",
    "fields.status:true",
    "fields.deep.list:3",
    "fields.deep.list:x",
    'fields.deep.dotted.name:"y z"',
    "fields.deep.dotted.name:q\\*",
    "fields.deep.dotted.name:q*",
    "fields.status:5*",
    "fields.status:*0?",
    "labels.tier:<=-1",
    "fields.status:{* TO 200}",
    "fields.nowhere:*",
    "*",
)


def query(random: random.Random, depth: int = 0) -> str:
    """A query of the language, of up to a dozen terms."""
    shape = random.random()
    if depth > 2 or shape < 0.35:
        return random.choice(TERMS)
    if shape < 0.5:
        return random.choice(("-", "NOT ", "!")) + "(" + query(random, depth + 1) + ")"
    joint = random.choice((" ", " AND ", " OR ", " && ", " || "))
    return "(" + joint.join(query(random, depth + 1) for _ in range(random.randrange(2, 4))) + ")"


def matches(node: Node, found: Json) -> bool:
    """Whether a document fits, said in the simplest way."""
    match node:
        case All():
            return True
        case And(parts):
            return all(matches(part, found) for part in parts)
        case Or(parts):
            return any(matches(part, found) for part in parts)
        case Not(part):
            return not matches(part, found)
        case Words(text):
            wanted, words = tokens(text), tokens(found["message"])
            return bool(wanted) and any(words[i : i + len(wanted)] == wanted for i in range(len(words)))
        case AnyOf(field, chosen):
            return not set(chosen).isdisjoint(values(field, found))
        case Glob(field, pattern):
            form = glob(pattern)
            return any(form.fullmatch(value) for value in values(field, found))
        case Exists(field):
            return bool(values(field, found))
        case Range():
            return any(_inside(node, number) for number in numbers(node.field, found))


def tokens(text: str) -> list[str]:
    return [word.lower() for word in TOKEN.findall(text)]


def values(field: fields.Field, found: Json) -> list[str]:
    if field.kind == "text":
        return tokens(found["message"])
    if field.kind == "pair":
        return [value for key, value in leaves(at(found, field.path)) if key == field.key]
    value = at(found, field.path)
    return [] if value is None else [value]


def numbers(field: fields.Field, found: Json) -> list[float]:
    if field is fields.TIME:
        return [moments.nanoseconds(found["@timestamp"])]
    return [float(value) for value in values(field, found) if NUMBER.fullmatch(value)]


def _inside(node: Range, number: float) -> bool:
    above = node.low is None or number > node.low or (node.with_low and number == node.low)
    return above and (node.high is None or number < node.high or (node.with_high and number == node.high))


def glob(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\(.)|([*?])|(.)", pattern, re.S)
    return re.compile(
        "".join({"*": ".*", "?": "."}[wild] if wild else re.escape(literal or plain) for literal, wild, plain in parts),
        re.S,
    )
