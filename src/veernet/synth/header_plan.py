"""Planning of scale headers: which cells have room, in which letters, and where."""

from dataclasses import dataclass, replace
from itertools import product

from veernet.synth.header_style import COMPACT, HeaderStyle, header_room
from veernet.synth.kinship import Scale
from veernet.synth.layout import Section
from veernet.synth.printed_layout import PrintedCurve, PrintedLayout
from veernet.synth.text import Letters
from veernet.synth.tracks import DPI

_SIZES = (1, 0.85, 0.72, 0.6, 0.5)
"""Sizes of letters that are tried, of that of the style."""

_SMALLEST = 5
"""Smallest letters, px."""

_OF_A_TRACK, _OF_A_ROW = 0.1, 0.065
"""Largest letters, of the height of a track: with words in several rows, and all in one."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Room of one scale of a curve in a header."""

    curve: int
    """Number of the curve."""
    ends: tuple[str, str]
    """Ends of the scale, as printed."""
    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A header before it is planned."""

    columns: tuple[int, int]
    """First column that it may take, and one past the last."""
    section: Section
    """Section that it belongs to."""
    column: int
    """Column whose scales it shows."""
    after: bool = False
    """True if it follows its section."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A header: what has room, in which letters, and where."""

    layout: PrintedLayout
    style: HeaderStyle
    block: Block
    letters: Letters
    titles: tuple[str, ...]
    stacks: tuple[tuple[Cell, ...], ...]
    """Cells of every track."""

    @property
    def pad(self) -> int:
        """White columns, and rows, inside the edges of a cell."""
        rule = int(self.layout.page.heavy_pen.width) if self.style.ruled else 0
        return rule + 2 + self.letters.size // 8

    @property
    def margin(self) -> int:
        """Columns between the header and what is printed beside it."""
        page = self.layout.page
        pens = [page.heavy_pen, *(track.frame for track in page.tracks if track.frame)]
        return max(int(pen.width) for pen in pens) // 2 + 3

    @property
    def title_letters(self) -> Letters:
        """Letters of the titles."""
        return replace(self.letters, size=round(1.25 * self.letters.size))

    @property
    def heights(self) -> list[int]:
        """Columns that the cells of each track take."""
        return [sum(self.height_of(cell) for cell in stack) for stack in self.stacks]

    @property
    def length(self) -> int:
        """Columns that all cells take."""
        heights = self.heights
        return sum(heights) if self.style.stacking == "stairs" else max(heights)

    @property
    def starts(self) -> list[int]:
        """First column of the cells of each track, from that of the first cell of all."""
        heights, length = self.heights, self.length
        match self.style.stacking:
            case "down to the grid":
                return [length - height for height in heights]
            case "from the top":
                return [0] * len(heights)
            case _:
                return [sum(heights[:number]) for number in range(len(heights))]

    @property
    def used(self) -> int:
        """Columns that the header takes with its titles and margins."""
        titles = len(self.titles) * self.title_letters.pitch
        return self.length + titles + 2 * self.margin

    def height_of(self, cell: Cell) -> int:
        """Columns that a cell takes."""
        return 2 * self.pad + sum(self.pitch(row, cell.curve) for row in cell.rows)

    def pitch(self, row: str, curve: int) -> int:
        """Columns that a row of a cell takes."""
        line = round(self.layout.curves[curve].line.pen.width) + 6
        if row == "| line |":
            return max(line, self.letters.size // 2)
        return max(line, self.letters.pitch) if "line" in row else self.letters.pitch


def room_of(layout: PrintedLayout) -> int:
    """Columns kept for the header before the first section, and for that after the last."""
    most = max(sum(c.track == n for c in layout.curves) for n in range(len(layout.page.tracks)))
    return round(header_room(most, layout.page.text_height))


def list_blocks(layout: PrintedLayout, style: HeaderStyle) -> list[Block]:
    """List the headers of a page: one before every section, the first on a page with a header;
    in some styles one after the last, on a page with a footer."""
    page, room, found = layout.page, room_of(layout), list[Block]()
    first, last = page.sections[0], page.sections[-1]
    if page.header:
        columns = max(2, page.span[0] - room), page.span[0]
        found.append(Block(columns=columns, section=first, column=first.start))
    for before, after in zip(page.sections, page.sections[1:], strict=False):
        columns = before.stop, after.start
        found.append(Block(columns=columns, section=after, column=after.start))
    if page.footer and style.at_the_end:
        columns = page.span[1], min(page.width - 2, page.span[1] + room)
        found.append(Block(columns=columns, section=last, column=last.stop - 1, after=True))
    return found


def plan_header(layout: PrintedLayout, style: HeaderStyle, block: Block) -> Plan | None:
    """Find the largest letters in which all of a header has room; in the smallest, leave out what
    has none. None if not one cell has room."""
    page, room = layout.page, block.columns[1] - block.columns[0]
    sizes = [share * style.size * page.text_height for share in _SIZES]
    ways = (style, _titles(layout, style, block)), (style, ())
    compact = replace(style, rows=COMPACT, stacking="down to the grid")
    for size, (one, titles) in [*product(sizes, ways), *product(sizes[2:], [(compact, ())])]:
        plan = _plan(layout, one, block, size, titles)
        if plan.used <= room:
            return plan
    plan = _plan(layout, compact, block, sizes[-1], ())
    while plan.length and plan.used > room:
        longest = plan.length
        stacks = [
            stack[:-1] if height == longest else stack
            for stack, height in zip(plan.stacks, plan.heights, strict=True)
        ]
        plan = replace(plan, stacks=tuple(stacks))
    return plan if plan.length else None


def _plan(
    layout: PrintedLayout, style: HeaderStyle, block: Block, size: float, titles: tuple[str, ...]
) -> Plan:
    """Plan a header in letters of a size, or as small as the lowest track needs."""
    lowest = min(track.height for track in layout.page.tracks)
    size = min(size, lowest * (_OF_A_ROW if len(style.rows) == 1 else _OF_A_TRACK))
    darkness = max(150, layout.page.heavy_pen.darkness)
    tracks = range(len(layout.page.tracks))
    return Plan(
        layout=layout,
        style=style,
        block=block,
        letters=Letters(size=max(_SMALLEST, round(size)), font=style.font, darkness=darkness),
        titles=titles,
        stacks=tuple(tuple(_cells(layout, style, block, track)) for track in tracks),
    )


def _cells(layout: PrintedLayout, style: HeaderStyle, block: Block, track: int) -> list[Cell]:
    """List the cells of a track in the order of the style."""
    there = [number for number, one in enumerate(layout.curves) if one.track == track]
    if style.order != "listed":
        there.sort(key=lambda n: layout.curves[n].order, reverse=style.order == "reversed")
    found = list[Cell]()
    for number in there:
        curve = layout.curves[number]
        scale = _scale_at(curve, block.column)
        ends = style.numbers_of(scale.left, scale.right)
        found.append(Cell(curve=number, ends=ends, rows=style.rows))
        if style.backup and curve.line.ending == "wrapped" and not scale.log:
            rows = style.rows if style.backup == "cell" else ("left | | right",)
            ends = style.numbers_of(scale.right, 2 * scale.right - scale.left)
            found.append(Cell(curve=number, ends=ends, rows=rows))
    return found


def _scale_at(curve: PrintedCurve, column: int) -> Scale:
    return [scale for start, scale in curve.scales if start <= column][-1]


def _titles(layout: PrintedLayout, style: HeaderStyle, block: Block) -> tuple[str, ...]:
    """Write what kind of section follows, and at which depth scale."""
    depths = block.section.depths
    if not style.titled or depths is None or block.after:
        return ()
    repeated = any(one.depths and one.depths.repeat for one in layout.page.sections)
    name = "REPEAT SECTION" if depths.repeat else "MAIN PASS" if repeated else "MAIN LOG"
    name = name if style.capitals else name.title()
    scale = depth_scale(layout, block.section, style)
    return (f"{name}  {scale}",) if style.depth_scale % 2 else (name, scale)


def depth_scale(layout: PrintedLayout, section: Section, style: HeaderStyle) -> str:
    """Write the depth scale of a section."""
    assert section.depths is not None
    inches = 100 / (section.depths.feet_per_px * DPI * layout.scale)
    return (
        f"{inches:.3g} IN = 100 FT",
        f"1:{1200 / inches:.0f}",
        f"{inches:.3g}\" / 100'",
        f"{inches:.3g} INCHES PER 100 FEET",
        f"SCALE 1:{1200 / inches:.0f}",
        f"{inches:.3g}IN/100FT",
    )[style.depth_scale]
