"""The scale header of a printed log: for every curve its name, its unit, the ends of its scale and
a sample of its line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from veernet.data.logs import Word, WordKind
from veernet.synth.header_plan import Cell, Plan, depth_scale, list_blocks, plan_header
from veernet.synth.header_style import HeaderStyle
from veernet.synth.inks import Inks
from veernet.synth.kinship import MEMBERS
from veernet.synth.layout import BLACK, TrackLayout
from veernet.synth.paint import line_sample, paint_line
from veernet.synth.printed_layout import PrintedLayout
from veernet.synth.text import Ink, Letters, Piece, box_of, put


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A word, or a sample of a line, of one row of a cell."""

    kind: WordKind
    text: str
    piece: Piece


def print_headers(
    inks: Inks, layout: PrintedLayout, style: HeaderStyle
) -> tuple[list[Word], list[range]]:
    """Print a scale header before every section, and in some styles after the last.

    Returns:
        the words, and the columns that each header takes.
    """
    words, taken = list[Word](), list[range]()
    for block in list_blocks(layout, style):
        plan = plan_header(layout, style, block)
        if plan is not None:
            start, stop = block.columns
            start = start if block.after else stop - plan.used
            taken.append(range(start, start + plan.used))
            words += _print_header(inks, plan, taken[-1])
    return words, taken


def _print_header(inks: Inks, plan: Plan, columns: range) -> list[Word]:
    """Print the titles of a header, the cells of every track, and the head of the depth column."""
    page, black = plan.layout.page, inks.of(BLACK)
    first = columns.stop - plan.margin - plan.length
    words = _print_titles(black, plan, columns.start + plan.margin)
    words += _print_depth_head(black, plan, first)
    for track, stack, start in zip(page.tracks, plan.stacks, plan.starts, strict=True):
        x = first + start
        for cell in stack:
            words += _print_cell(inks, plan, cell, track, x)
            stop = x + plan.height_of(cell)
            if plan.style.ruled == "cells":
                _print_rules(black, plan, track, (x, stop))
            x = stop
        if plan.style.ruled == "block":
            _print_rules(black, plan, track, (first, first + plan.length))
    return words


def _print_titles(ink: Ink, plan: Plan, x: int) -> list[Word]:
    """Print titles across the page, in the middle of its tracks."""
    tracks, letters, found = plan.layout.page.tracks, plan.title_letters, list[Word]()
    top, bottom = tracks[0].top, tracks[-1].bottom
    for text in plan.titles:
        piece = letters.across(text)
        if piece.length <= bottom - top:
            y = (top + bottom - piece.length) // 2
            found.append(_put_word(ink, piece, y, x, kind="title", text=text))
        x += letters.pitch
    return found


def _print_depth_head(ink: Ink, plan: Plan, first: int) -> list[Word]:
    """Print the head of the depth column, next to its numbers."""
    (above, below), letters = plan.layout.page.depth_track, plan.letters
    scale = depth_scale(plan.layout, plan.block.section, plan.style)
    texts = [("DEPTH", "FEET"), ("DEPTH", "(FT)"), ("FEET",), ("DEPTH", "FEET", scale)]
    chosen = texts[plan.style.alias % len(texts)]
    if not plan.style.capitals:
        chosen = tuple(text.capitalize() for text in chosen)
    pieces = [_smaller(letters, text, below - above - 2 * plan.pad) for text in chosen]
    there = [(text, one) for text, one in zip(chosen, pieces, strict=True) if one is not None]
    there = there[: plan.length // letters.pitch]
    x, found = first + plan.length - plan.pad - len(there) * letters.pitch, list[Word]()
    for text, piece in there if x >= first else ():
        y = (above + below - piece.length) // 2
        found.append(_put_word(ink, piece, y, x, kind="title", text=text))
        x += letters.pitch
    return found


def _smaller(letters: Letters, text: str, room: int) -> Piece | None:
    """Print a word in letters small enough for some rows; None if they would be too small."""
    for share in (1, 0.8, 0.65):
        size = max(5, round(share * letters.size))
        piece = replace(letters, size=size).across(text)
        if piece.length <= room:
            return piece
    return None


def _print_rules(ink: Ink, plan: Plan, track: TrackLayout, columns: tuple[int, int]) -> None:
    """Print rules around columns of a track, the last on their own last column."""
    pen, (left, right) = plan.layout.page.heavy_pen, columns
    for x in (left, right):
        paint_line(ink, (x, track.top), (x, track.bottom), pen)
    for y in (track.top, track.bottom):
        paint_line(ink, (left, y), (right, y), pen)


def _print_cell(inks: Inks, plan: Plan, cell: Cell, track: TrackLayout, x: int) -> list[Word]:
    """Print the rows of a cell, its first column at x."""
    colour, found = plan.layout.curves[cell.curve].line.pen.colour, list[Word]()
    words = inks.of(colour if plan.style.coloured else BLACK)
    x += plan.pad
    for row in cell.rows:
        pitch = plan.pitch(row, cell.curve)
        for part, y in _row(plan, cell, row, (track.top + plan.pad, track.bottom - plan.pad)):
            if part.kind == "line":
                ink, at = inks.of(colour), x + (pitch - part.piece.patch.shape[1]) // 2
            else:
                ink, at = words, x
            found.append(
                _put_word(ink, part.piece, y, at, kind=part.kind, text=part.text, curve=cell.curve)
            )
        x += pitch
    return found


def _put_word(
    ink: Ink, piece: Piece, y: int, x: int, *, kind: WordKind, text: str, curve: int | None = None
) -> Word:
    """Print a piece on its line, which begins at column x."""
    put(ink, piece.patch, y=y, x=x + piece.drop)
    return Word(text=text, kind=kind, box=box_of(piece, y, x + piece.drop), curve=curve)


def _row(plan: Plan, cell: Cell, row: str, rows: tuple[int, int]) -> list[tuple[_Part, int]]:
    """Lay a row of a cell out between two rows of the page: its parts, each with its first row."""
    left, middle, right = (slot.split() for slot in row.split("|"))
    top, bottom = rows
    gap = max(3, round(0.6 * plan.letters.size))
    ends = [part for token in right if (part := _part(plan, cell, token, bottom - top))]
    room = bottom - top - sum(part.piece.length + gap for part in ends)
    starts = [part for token in left if (part := _part(plan, cell, token, room))]
    found = list[tuple[_Part, int]]()
    for part in starts:
        bottom -= part.piece.length
        found.append((part, bottom))
        bottom -= gap
    for part in ends:
        found.append((part, top))
        top += part.piece.length + gap
    parts = _middle(plan, cell, middle, bottom - top, gap)
    y = (top + bottom + _length(parts, gap)) // 2
    for part in parts:
        y -= part.piece.length
        found.append((part, y))
        y -= gap
    return found


def _length(parts: Sequence[_Part], gap: int) -> int:
    """Rows that parts take side by side."""
    return sum(part.piece.length for part in parts) + gap * (len(parts) - 1)


def _middle(plan: Plan, cell: Cell, tokens: Sequence[str], room: int, gap: int) -> list[_Part]:
    """Choose what of the middle of a row has room: the line if it is at least three letters long,
    then the name, then the unit."""
    left = room - (3 * plan.letters.size + gap if "line" in tokens else 0)
    chosen = dict[str, _Part]()
    for token in sorted((one for one in tokens if one != "line"), key=lambda one: one != "name"):
        part = _part(plan, cell, token, left)
        if part is not None:
            chosen[token] = part
            left -= part.piece.length + gap
    if "line" in tokens:
        taken = sum(part.piece.length + gap for part in chosen.values())
        if room - taken >= 3 * plan.letters.size:
            chosen["line"] = _line(plan, cell, room - taken)
    return [chosen[token] for token in tokens if token in chosen]


def _line(plan: Plan, cell: Cell, length: int) -> _Part:
    line = plan.layout.curves[cell.curve].line
    return _Part(kind="line", text=line.style, piece=line_sample(line.pen, length))


def _part(plan: Plan, cell: Cell, token: str, room: int) -> _Part | None:
    """Print a token of a row; None if it has no room."""
    curve = plan.layout.curves[cell.curve]
    match token:
        case "left" | "right":
            kind, texts = token, [cell.ends[token == "right"]]
        case "name":
            kind, texts = "mnemonic", _names(plan, curve.mnemonic)
        case _:
            kind, texts = "unit", [token.replace("unit", curve.unit)]
    for text in texts:
        piece = _smaller(plan.letters, text, room)
        if piece is not None:
            return _Part(kind=kind, text=text, piece=piece)
    return None


def _names(plan: Plan, mnemonic: str) -> list[str]:
    """List names of a curve, that of the style first, then the shorter ones."""
    member, style = MEMBERS[mnemonic], plan.style
    title = member.title if style.capitals else member.title.title()
    alias = member.aliases[style.alias % len(member.aliases)]
    match style.names:
        case "title":
            return [title, mnemonic]
        case "alias":
            return [alias, mnemonic]
        case "mnemonic":
            return [mnemonic]
