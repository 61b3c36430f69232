"""Cards on the terminal: colour and word of the indicator, summary, detail, buttons, reasons, links."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

Json = dict[str, Any]

COLOURS = {"info": "blue", "warning": "yellow", "critical": "red"}


def card(content: Json) -> RenderableType:
    """One card as a panel, in the colour of its urgency."""
    indicator = str(content.get("indicator", "info"))
    colour = COLOURS.get(indicator, "white")
    source = content.get("source", {})
    parts: list[RenderableType] = [Text(content.get("summary", ""), style="bold")]
    if content.get("detail"):
        list_first = str(content["detail"]).startswith("- ")  # a list brings an empty line of its own
        parts += [Markdown(content["detail"])] if list_first else [Text(), Markdown(content["detail"])]
    for suggestion in content.get("suggestions", ()):
        parts += [Text(), *_suggestion(suggestion)]
    if content.get("overrideReasons"):
        parts += [Text(), Text("Reasons for not following:", style="bold")]
        parts += [_line(f"{reason.get('display')} [{reason.get('code')}]") for reason in content["overrideReasons"]]
    parts += [Text(), Text(f"Source: {source.get('label', '')}"), Text(str(source.get("url", "")), style="cyan")]
    for link in content.get("links", ()):
        if link.get("url") != source.get("url"):
            parts += [Text(f"{link.get('label', '')}: "), Text(str(link.get("url", "")), style="cyan")]
    topic = source.get("topic", {}).get("code", "")
    return Panel(
        Group(*parts),
        title=f"[bold {colour}]{escape(indicator.upper())}[/]",
        title_align="left",
        subtitle=escape(topic),
        subtitle_align="right",
        border_style=colour,
    )


def _suggestion(suggestion: Json) -> list[RenderableType]:
    button = Text("▶ ", style="green") + Text(str(suggestion.get("label", "")), style="bold green")
    lines: list[RenderableType] = [button]
    for action in suggestion.get("actions", ()):
        lines.append(_line(f"{action.get('type')}: {action.get('description', '')}"))
        resource = action.get("resource")
        if isinstance(resource, dict):
            lines += [_line(words, indent=4) for words in _dose_lines(resource)]
    return lines


def _dose_lines(resource: Json) -> list[str]:
    lines = []
    product = resource.get("medicationCodeableConcept", {}).get("text")
    if product:
        lines.append(str(product))
    for dosage in resource.get("dosageInstruction", ()):
        for part in dosage.get("doseAndRate", ()):
            quantity = part.get("doseQuantity", {})
            lines.append(f"{quantity.get('value')} {quantity.get('code')} each time")
    lines += [str(note.get("text")) for note in resource.get("note", ())]
    return lines


def _line(words: str, indent: int = 2) -> RenderableType:
    return Padding(Text(f"- {words}"), (0, 0, 0, indent))
