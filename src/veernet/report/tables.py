"""Print results as tables on a terminal: an evaluation, a digitisation."""

from collections.abc import Iterator

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from veernet.digitisation.files import DigitisedFiles
from veernet.digitisation.quality import RESIDUAL, CurveSummary
from veernet.evaluation.summary import Summary
from veernet.terminal import one_line

MOST_STRETCHES = 3
"""Most stretches off scale printed per curve; the LAS file and the JSON list all."""


FIT = "does the calibration fit, and is the curve one that the network knows?"


def print_summary(console: Console, summary: Summary) -> None:
    """Print the summary of an evaluation as a table."""
    for name, reason in summary.left_out.items():
        console.print(f"left out {name}: {reason}", soft_wrap=True)
    columns = ("F1", "IoU", "F1 ±1", "IoU ±1", "R²", "10 %", "MAE", "r", "±1 px", "coverage")
    table = Table("", *columns, box=SIMPLE, padding=0, title=f"{summary.logs} logs")
    for name, curve in summary.curves.items():
        strict, near, read = curve.strict, curve.within_1_px, curve.columns
        measures = read.mae, read.pearson_r, read.within_1_px, read.coverage
        values = (strict.f1, strict.iou, near.f1, near.iou, read.r2.median, read.r2.worst_tenth)
        cells = (*values, *(measure.median for measure in measures))
        table.add_row(name, *("–" if value is None else f"{value:.3f}" for value in cells))
    console.print(table)
    console.print(
        "±1: within 1 px; R², MAE, r: of the curves read, in fractions of full scale, medians over "
        "logs; 10 %: the R² that a tenth of these logs does not reach; ±1 px, coverage: share of "
        "columns, medians over the logs that have the curve"
    )
    for name, curve in summary.curves.items():
        read = curve.columns
        console.print(
            f"{name}: on {read.coverage.logs} logs, nothing of it read on {curve.unread}; R² over "
            f"{read.r2.logs} logs, MAE over {read.mae.logs}, r over {read.pearson_r.logs}"
        )
        if curve.strict.f1 is None:
            console.print(f"{name}: no score in pixels, for none of its pixels is labelled")
    console.print(
        f"of {summary.logs} logs, {summary.nothing_read} on which nothing was read, which "
        f"rank last with F1 0; {summary.unlabelled} without any label"
    )


def print_written(console: Console, written: DigitisedFiles) -> None:
    """Print the summaries of the curves as a table, the files, and remarks on doubtful curves."""
    columns = ("curve", "unit", "coverage", "off scale", "confidence", "wraps")
    compared = any(one.compared is not None for one in written.summaries)
    against = ("compared", "covered", "MAE", "r") if compared else ()
    table = Table(*columns, *against, box=SIMPLE, padding=0)
    for one in written.summaries:
        shares = f"{one.coverage:.1%}", f"{one.off_scale_share:.1%}"
        figures = *shares, f"{one.confidence:.2f}", str(one.wrap_count)
        against_reference = _figures_against(one) if against else ()
        table.add_row(_name(one), one.unit, *figures, *against_reference)
    console.print(table)
    if against:
        console.print(
            "compared: depths at which curve and reference are on scale; covered: share of those "
            "at which the reference is; of logarithmic scales MAE in decades and r of logarithms",
            soft_wrap=True,
        )
    files = (f"wrote {one_line(file)}" for file in written.files)
    console.print(*files, sep="\n", soft_wrap=True)
    for one in written.summaries:
        if compared and one.compared is None:
            console.print(
                f"{_name(one)}: the reference has no curve of that name; if it goes by another "
                'there, say so in the calibration, as las = "GR:1"',
                soft_wrap=True,
            )
        for line in _to_look_at(one):
            console.print(line, soft_wrap=True)


def _name(one: CurveSummary) -> str:
    """Name a curve, with its section where there are several."""
    return f"{one.section} {one.mnemonic}".strip()


def _figures_against(one: CurveSummary) -> Iterator[str]:
    """Yield the table's cells that compare one curve with the reference."""
    yield "–" if one.compared is None else f"{one.compared:,}"
    yield "–" if one.reference_coverage is None else f"{one.reference_coverage:.1%}"
    decades = one.mae_decades is not None
    mae = one.mae_decades if decades else one.mae
    yield "–" if mae is None else f"{mae:.3f}{' dec' if decades else ''}"
    yield "–" if one.pearson_r is None else f"{one.pearson_r:.3f}"


def _to_look_at(one: CurveSummary) -> Iterator[str]:
    """Yield remarks on doubtful readings of a curve."""
    name, unit, some = _name(one), one.depth_unit, one.off_scale
    if some:
        places = _first_of(
            [f"{s.edge} {s.first:.1f} to {s.last:.1f} {unit}" for s in one.off_scale]
        )
        yield (
            f"{name}: lies on an edge of its track, {places}: {one.off_scale_share:.1%} of "
            "the depths are off scale and have confidence 0"
        )
    if some and not one.wraps:
        yield f"{name}: if it wraps (backup scale), say wraps = true in the calibration"
    yield from _in_doubt(one)
    yield from _against_reference(one)
    if one.off_scale_share > 0.5 or (some and one.wraps):
        yield f"{name}: the frame of the track may have been taken for it; look at its picture"
    if one.coverage == 0:
        yield f"{name}: nothing was read; look at its picture: {FIT}"
    elif one.coverage < 0.5:
        yield f"{name}: {one.coverage:.0%} of the depths have a value; look at its picture: {FIT}"


def _in_doubt(one: CurveSummary) -> Iterator[str]:
    """Yield remarks on what is not known of a curve, and on its doubtful stretches."""
    name, unit = _name(one), one.depth_unit
    if one.twins:
        names = " and ".join([one.mnemonic, *one.twins])
        yield (
            f"{names}: nothing tells one from the other here; give one of them a style, a colour "
            "or a point"
        )
    if one.doubts:
        places = _first_of([f"{d.first:.1f} to {d.last:.1f} {unit} ({d.why})" for d in one.doubts])
        yield f"{name}: in doubt at {places}"


def _against_reference(one: CurveSummary) -> Iterator[str]:
    """Yield remarks on differences of a curve from the reference."""
    name, unit = one.mnemonic, one.depth_unit
    if one.share_far:
        yield (
            f"{name}: more than {RESIDUAL:.0%} of the scale from the reference at "
            f"{one.share_far:.1%} of the depths compared, most at {one.largest_error_at:.1f} "
            f"{unit}: {one.largest_error:+.4g} {one.unit}"
        )
    if one.read_off_reference:
        places = _first_of([f"{a:.1f} to {b:.1f} {unit}" for a, b in one.read_off_reference])
        yield (
            f"{name}: has values where the reference is off scale or has none, and nothing is "
            f"compared: {places}"
        )


def _first_of(stretches: list[str]) -> str:
    """List the first `MOST_STRETCHES`, and say how many there are if there are more."""
    more = f", … ({len(stretches)} stretches)" if len(stretches) > MOST_STRETCHES else ""
    return ", ".join(stretches[:MOST_STRETCHES]) + more
