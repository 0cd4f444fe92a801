"""Request and response bodies in the protobuf form of Kubernetes, to and from the JSON form.

Typed Go clients send `application/vnd.kubernetes.protobuf`: a magic number, an envelope that names the kind, and the
object as a message. `fields.json` holds the field numbers: package -> message -> names in the order of their numbers
(see `layout`); the types are those of `kube.schema.definitions`. Nothing is loaded before the first such body.
"""

from __future__ import annotations

from kube.protobuf.envelope import MAGIC, decode, encode, knows, watch_event
from kube.protobuf.wire import Malformed

__all__ = ["MAGIC", "Malformed", "decode", "encode", "knows", "watch_event"]
