"""`python -m environment > docs/settings.md`: the table of all settings as a page."""

from __future__ import annotations

from environment import SECTIONS

HEAD = """# Settings

Every variable of the environment that is read, made from [environment/](../environment/__init__.py) by
`python -m environment`. An empty variable is one that is not set. A value that is not of its type is refused by name;
`make up` also tells of each `BINNACLE_…` that nothing reads.
"""


def page() -> str:
    """The text of docs/settings.md."""
    parts = [HEAD]
    for section in SECTIONS:
        rows = [
            f"| `{setting.name}` | {setting.type.name} | {f'`{setting.default}`' if setting.default else ''} "
            f"| {setting.meaning} |"
            for setting in section.settings
        ]
        head = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {section.title}", "", section.intro, "", *head, *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
