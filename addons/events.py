"""The page of the audit log: what is searched for, and what a row shows of an event. Bodies are left to the file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from django import forms

import environment
from cluster.audit.installation import log_path
from cluster.audit.reading import Found, Search, find
from kube.redact.objects import redact, redact_uri

PAGE = 100  # events
VERBS = ("create", "update", "patch", "delete", "deletecollection", "get", "list", "watch", "login", "logout")
BODIES = ("requestObject", "responseObject")


def _text(label: str, hint: str) -> forms.CharField:
    widget = forms.TextInput({"placeholder": hint, "size": 18, "spellcheck": "false", "autocomplete": "off"})
    return forms.CharField(label=label, required=False, max_length=253, widget=widget)


class SearchForm(forms.Form):
    """What an event has to have, and where to go on."""

    user = _text("User", "part of the name")
    verb = forms.ChoiceField(
        label="Verb", required=False, choices=[("", "any"), *((verb, verb) for verb in VERBS)], initial=""
    )
    resource = _text("Resource", "pods, pods/exec")
    namespace = _text("Namespace", "")
    since = _text("From (UTC)", "2026-01-31T23:00")
    until = _text("To (UTC)", "2026-01-31T23:30")
    cursor = forms.RegexField(r"\d{1,20}-\d{1,18}", required=False, widget=forms.HiddenInput())

    def found(self) -> Found:
        """The events. Blocking, and bounded."""
        asked = {name: str(value).strip() for name, value in self.cleaned_data.items()}
        asked.update({name: asked[name].replace(" ", "T") for name in ("since", "until")})
        cursor = asked.pop("cursor")
        return find(log_path(environment.VAR.get()), Search(**asked), PAGE, cursor)

    def older(self, cursor: str) -> str:
        """The query that goes on; "" at the end."""
        return urlencode({**{k: v for k, v in self.cleaned_data.items() if v}, "cursor": cursor}) if cursor else ""


def event_row(event: dict[str, Any]) -> dict[str, Any]:
    """What the template shows of an event, without credentials."""
    event = {key: value for key, value in event.items() if key not in BODIES}
    uri = redact_uri(str(event.get("requestURI") or ""))
    event = {**redact("", event), "requestURI": uri}
    about, notes = _part(event, "objectRef"), _part(event, "annotations")
    answer, user = _part(event, "responseStatus"), _part(event, "user")
    place = "/".join(str(about[key]) for key in ("namespace", "name") if about.get(key))
    resource = "/".join(str(about[key]) for key in ("resource", "subresource") if about.get(key))
    sources = event.get("sourceIPs")
    return {
        "at": str(event.get("stageTimestamp") or "")[:23].replace("T", " "),
        "user": user.get("username") or notes.get("binnacle/account") or "nobody known",
        "as": _part(event, "impersonatedUser").get("username"),
        "verb": event.get("verb"),
        "stage": "" if event.get("stage") == "ResponseComplete" else event.get("stage"),
        "about": f"{resource} {place}".strip() or event.get("requestURI"),
        "code": answer.get("code"),
        "bad": notes.get("authorization.k8s.io/decision") == "forbid" or int(answer.get("code") or 0) >= 400,
        "message": answer.get("message") or notes.get("binnacle/options"),
        "source": sources[-1] if isinstance(sources, list) and sources else "",
        "whole": orjson.dumps(event, option=orjson.OPT_INDENT_2).decode(),
    }


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}
