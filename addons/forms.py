"""The form of an addon's configuration: a field for each of its options, checked as the addon manager checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from addons import options
from addons.catalogue import Addon
from addons.options import LONGEST, Option

STRUCTURED = ("json", "addresses", "domains")
NOTES = {
    "integer": "a whole number",
    "number": "a number",
    "duration": "such as 30s, 5m, 12h or 30d",
    "size": "such as 512Mi or 10Gi",
    "url": "such as http://prometheus.example:9090",
    "json": "JSON",
    "addresses": "a JSON list of addresses",
    "domains": "a JSON object: domain → list of addresses",
}


class ConfigForm(forms.Form):
    """The options of one addon. Its switch has a button of its own."""

    def __init__(self, addon: Addon, values: Mapping[str, str], posted: Mapping[str, str] | None = None) -> None:
        super().__init__(posted, initial=dict(values))
        self.addon = addon
        self.shown = [option for option in addon.settings if option.name != "enabled"]
        for option in self.shown:
            # Empty is for `options.check` to judge: an option may be empty where its default is.
            self.fields[option.name] = forms.CharField(
                label=option.name, required=False, help_text=option.help, widget=_widget(option)
            )

    def clean(self) -> dict[str, Any]:
        found = {option.name: str(self.cleaned_data.get(option.name) or "") for option in self.shown}
        values, problems = options.check(self.addon.settings, found)
        for name, text in problems.items():
            self.add_error(name if name in self.fields else None, text)
        return {name: values[name] for name in found}

    def rows(self) -> list[dict[str, Any]]:
        """What the template shows of each option."""
        return [
            {
                "field": self[option.name],
                "option": option,
                "note": note(option),
                "changed": self[option.name].value() != option.default,
            }
            for option in self.shown
        ]


def note(option: Option) -> str:
    """What a value looks like, in a few words."""
    comma = "," if option.type in ("duration", "size") and option.range() else ""
    return (
        NOTES.get(option.type, "") + comma + option.range(" s" if option.type == "duration" else "")
        or option.pattern_help
    )


def _widget(option: Option) -> forms.Widget:
    described = {"aria-describedby": f"help-{option.name}", "spellcheck": "false", "autocomplete": "off"}
    if option.type == "choice":
        labels = [(value, f"{value}: {label}" if label else value) for value, label in option.choices.items()]
        return forms.Select(described, choices=labels)
    if option.type == "boolean":
        return forms.Select(described, choices=[("true", "true"), ("false", "false")])
    if option.type in STRUCTURED:
        return forms.Textarea({**described, "rows": 2, "maxlength": LONGEST})
    if option.type == "integer":
        bounds = {
            name: f"{bound:.15g}" for name, bound in (("min", option.min), ("max", option.max)) if bound is not None
        }
        return forms.NumberInput({**described, **bounds, "step": "1"})
    return forms.TextInput({**described, "maxlength": LONGEST})
