"""The therapy as a picture: a Vega-Lite specification, drawn as SVG on the server. The library is loaded when asked."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from app.demo.ehr.therapy import Bar, Mark, Point, Therapy

Spec = dict[str, Any]

_WIDTH = 580
_ROW = 36
_LINE_HEIGHT = 124
_INK, _QUIET, _CLOT, _TODAY = "#1d2733", "#5b6673", "#a4121a", "#0b4a91"
_TREATMENT, _OTHER = "#0b4a91", "#6d7f92"
_PLATELETS, _CLEARANCE = "#6b3fa0", "#00695c"
_LIMIT = "#a4121a"
_CLOT_ROW = "Thrombosis"
_BREAK = "|"
_HALO: Spec = {"stroke": "white", "strokeWidth": 5, "strokeJoin": "round", "aria": False}
"""Under words, so that a line behind them does not strike them out."""
_YEAR = "datum.index === 0 || month(datum.value) === 0 ? timeFormat(datum.value, '%Y') : ''"
_MONTH = f"[timeFormat(datum.value, '%b'), {_YEAR}]"


class PictureMissingError(Exception):
    """The library that draws is not installed (``pip install cat-cds[demo]``)."""


def can_draw() -> bool:
    """Whether the library that draws is installed."""
    return find_spec("vl_convert") is not None


def svg(therapy: Therapy) -> str:
    """The picture as an SVG document.

    Raises:
        PictureMissingError: the library is not installed.
    """
    if not can_draw():
        raise PictureMissingError
    return _drawn(therapy)


@lru_cache(maxsize=64)
def _drawn(therapy: Therapy) -> str:
    import vl_convert  # noqa: PLC0415 - 84 MB that no hook call needs

    drawn: str = vl_convert.vegalite_to_svg(specification(therapy))
    return drawn


def specification(therapy: Therapy) -> Spec:
    """The picture in the words of Vega-Lite: three panels over one time axis."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "description": therapy.words,
        "background": "white",
        "padding": 8,
        "spacing": 14,
        "vconcat": [
            _courses(therapy),
            _values(
                therapy,
                therapy.platelets,
                therapy.platelet_limits,
                title="Platelets, 10⁹/L",
                colour=_PLATELETS,
                last=False,
            ),
            _values(
                therapy,
                therapy.clearance,
                therapy.clearance_limits,
                title="CrCl, mL/min",
                colour=_CLEARANCE,
                last=True,
            ),
        ],
        "config": {
            "font": "DejaVu Sans, Segoe UI, Helvetica, Arial, sans-serif",
            "view": {"stroke": "#c3cad2"},
            "axis": {
                "labelColor": _INK,
                "titleColor": _INK,
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": 600,
                "gridColor": "#e6eaee",
                "domainColor": "#8c96a1",
                "tickColor": "#8c96a1",
                "labelLimit": 220,
            },
        },
    }


def _courses(therapy: Therapy) -> Spec:
    rows = [_CLOT_ROW, *dict.fromkeys(_row(bar) for bar in therapy.bars)]
    layers: list[Spec] = [_mark_lines(therapy), *_mark_labels(therapy)]
    if therapy.clot and therapy.clot.day >= therapy.first:
        layers += _clot(therapy.clot, therapy)
    if therapy.bars:
        layers.append(_bars(therapy))
    else:
        rows.append("No anticoagulant")
    axis = {"title": None, "ticks": False, "domain": False, "labelExpr": f"split(datum.label, '{_BREAK}')"}
    y = {"type": "nominal", "scale": {"domain": rows}, "axis": axis}
    for layer in layers:
        encoding = layer["encoding"]
        if "field" in encoding.get("y", {}):
            encoding["y"] = {**encoding["y"], **y}
    blank: Spec = {
        "data": {"values": [{"row": row} for row in rows]},
        "mark": {"type": "text", "text": "", "aria": False},
        "encoding": {"y": {"field": "row", **y}},
    }
    return {"width": _WIDTH, "height": _ROW * len(rows), "layer": [blank, *layers]}


def _clot(clot: Mark, therapy: Therapy) -> list[Spec]:
    day = _when(max(clot.day, therapy.first))
    late = clot.day > therapy.first + (therapy.last - therapy.first) * 0.55
    data = {"values": [{"day": day, "row": _CLOT_ROW, "words": clot.label}]}
    place = {"x": _time("day", therapy), "y": {"field": "row"}}
    label = {
        "type": "text", "align": "right" if late else "left", "dx": -12 if late else 12, "fontSize": 12,
        "fontWeight": 600, "color": _CLOT, "limit": 330,
    }  # fmt: skip
    return [
        {
            "data": data,
            "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 190, "color": _CLOT, "opacity": 1},
            "encoding": place,
        },
        {"data": data, "mark": {**label, **_HALO}, "encoding": {**place, "text": {"field": "words"}}},
        {"data": data, "mark": label, "encoding": {**place, "text": {"field": "words"}}},
    ]


def _bars(therapy: Therapy) -> Spec:
    across = {"x": _time("starts", therapy), "x2": {"field": "ends"}, "y": {"field": "row"}}
    return {
        "data": {"values": [_bar(bar, therapy) for bar in therapy.bars]},
        "mark": {"type": "bar", "height": 18, "cornerRadius": 3, "opacity": 1},
        "encoding": {**across, "color": {"field": "colour", "type": "nominal", "scale": None}},
    }


def _bar(bar: Bar, therapy: Therapy) -> Spec:
    return {
        "row": _row(bar),
        "starts": _when(max(bar.starts, therapy.first)),
        "ends": _when(min(bar.ends + timedelta(days=1), therapy.last)),
        "colour": _TREATMENT if bar.intent == "treatment" else _OTHER,
    }


def _row(bar: Bar) -> str:
    """Drug and dose on two lines."""
    return f"{bar.drug}{_BREAK}{bar.words.removeprefix(bar.drug).strip()}".removesuffix(_BREAK)


def _values(
    therapy: Therapy, points: Sequence[Point], limits: Sequence[Decimal], *, title: str, colour: str, last: bool
) -> Spec:
    y = {"type": "quantitative", "scale": {"zero": True, "nice": True}}
    axis = {"title": title, "tickCount": 4}
    lines = [{"limit": float(limit), "words": f"{limit.normalize():f}"} for limit in limits]
    layers: list[Spec] = [
        {**_mark_lines(therapy, labels=last), "height": _LINE_HEIGHT},
        {
            "data": {"values": lines},
            "mark": {"type": "rule", "color": _LIMIT, "strokeDash": [2, 3], "opacity": 0.85},
            "encoding": {"y": {"field": "limit", **y, "axis": axis}},
        },
        {
            "data": {"values": lines},
            "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 11, "color": _LIMIT},
            "encoding": {
                "x": {"value": _WIDTH},
                "y": {"field": "limit", **y, "axis": axis},
                "text": {"field": "words"},
            },
        },
    ]
    values = {"values": [{"day": _when(point.day), "value": float(round(point.value, 1))} for point in points]}
    place = {"x": _time("day", therapy, labels=last), "y": {"field": "value", **y, "axis": axis}}
    layers.append(
        {
            "data": values,
            "mark": {
                "type": "line", "color": colour, "strokeWidth": 2, "interpolate": "linear",
                "point": {"color": colour, "size": 45, "filled": True},
            },
            "encoding": place,
        }
    )  # fmt: skip
    layers += _newest(points, therapy, place, colour)
    return {"width": _WIDTH, "height": _LINE_HEIGHT, "layer": layers}


def _newest(points: Sequence[Point], therapy: Therapy, place: Spec, colour: str) -> list[Spec]:
    """The newest value in figures, beside its point."""
    if not points:
        words = {"type": "text", "text": "no values in this time", "fontSize": 12, "color": _QUIET}
        middle = {"x": {"value": _WIDTH / 2}, "y": {"value": _LINE_HEIGHT / 2}}
        return [{"data": {"values": [{}]}, "mark": words, "encoding": middle}]
    point = points[-1]
    low = point.value < max(one.value for one in points) / 2
    shown = {"day": _when(point.day), "value": float(round(point.value, 1)), "words": f"{point.value:.0f}"}
    data, encoding = {"values": [shown]}, {**place, "text": {"field": "words"}}
    mark = {
        "type": "text", "align": "left", "dx": 7, "dy": -12 if low else 12, "fontSize": 12, "fontWeight": 700,
        "color": colour,
    }  # fmt: skip
    return [
        {"data": data, "mark": {**mark, **_HALO}, "encoding": encoding},
        {"data": data, "mark": mark, "encoding": encoding},
    ]


def _mark_lines(therapy: Therapy, *, labels: bool = False) -> Spec:
    dash = {"field": "dash", "type": "nominal", "scale": {"domain": [0, 1], "range": [[1, 0], [5, 4]]}, "legend": None}
    return {
        "data": {"values": [_today(therapy), *_milestones(therapy)]},
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": {
            "x": _time("day", therapy, labels=labels),
            "color": {"field": "colour", "type": "nominal", "scale": None},
            "strokeDash": dash,
        },
    }


def _mark_labels(therapy: Therapy) -> list[Spec]:
    """The words above the lines; "today" stands in a row of its own, so that no two meet."""
    return [
        {
            "data": {"values": rows},
            "mark": {"type": "text", "fontSize": 12, "baseline": "bottom", "fontWeight": 600, "dy": lift},
            "encoding": {
                "x": _time("day", therapy),
                "y": {"value": 0},
                "text": {"field": "label"},
                "color": {"field": "colour", "type": "nominal", "scale": None},
            },
        }
        for rows, lift in (([_today(therapy)], -18), (_milestones(therapy), -3))
    ]


def _today(therapy: Therapy) -> Spec:
    return {"day": _when(therapy.today), "label": "today", "colour": _TODAY, "dash": 0}


def _milestones(therapy: Therapy) -> list[Spec]:
    return [
        {"day": _when(mark.day), "label": mark.label, "colour": _QUIET, "dash": 1}
        for mark in therapy.milestones
        if therapy.first <= mark.day <= therapy.last
    ]


def _time(field: str, therapy: Therapy, *, labels: bool = False) -> Spec:
    domain = [_when(therapy.first), _when(therapy.last)]
    axis: Spec = {"title": None, "labelExpr": _MONTH, "tickCount": "month", "labelOverlap": True}
    return {
        "field": field,
        "type": "temporal",
        "scale": {"domain": domain},
        "axis": axis | ({} if labels else {"labels": False, "ticks": False}),
    }


def _when(day: date) -> str:
    return f"{day.isoformat()}T00:00:00"
