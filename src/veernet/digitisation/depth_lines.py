"""Lines of equal depth on a scan, and the sections in which they follow one another evenly."""

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import correlate, find_peaks, peak_widths

MAX_MISSING_LINES = 40
"""Most depth lines that may be missing between two neighbours, where nothing else is drawn."""

MAX_CLUTTERED = 3
"""Most steps between two neighbours where other lines are drawn, as those of a header are."""

LEAST_LINES = 6
"""Fewest depth lines of a section."""

_BLOCK = 8
"""Width of the blocks of columns whose mean is taken, px; wider on a wide scan."""

_JITTER = 1.0
"""Distance of a line from its place that counts for nothing, px: print and scan have pixels."""

_LINE_COST, _MISSING_COST, _OFF_COST = 0.4, 0.4, 1.5
"""Cost to a section of a line, of one that is missing, and of one at the greatest distance from its
place; a line as dark as most is worth 1."""


@dataclass(frozen=True, kw_only=True)
class DepthLines:
    """Depth lines of one section, from top to bottom: all lie a whole number of steps apart."""

    rows: Float[ndarray, "n"]
    ink: Float[ndarray, "n"]
    """Thickness times darkness."""
    steps: Int[ndarray, "n"]
    """Steps from the first line."""
    strength: float
    """Median darkness of the lines, grey levels."""
    worth: float
    """Value of the section: about half the number of its lines."""

    @property
    def spacing(self) -> float:
        """Mean distance of neighbouring lines, px."""
        return float((self.rows[-1] - self.rows[0]) / self.steps[-1])

    def part(self, some: Int[ndarray, "m"]) -> "DepthLines":
        """Return some of the lines as a section of their own."""
        steps = self.steps[some] - self.steps[some[0]]
        stride = max(1, int(np.gcd.reduce(steps)))
        return replace(
            self,
            rows=self.rows[some],
            ink=self.ink[some],
            steps=steps // stride,
            worth=self.worth * len(some) / len(self.rows),
        )


@dataclass(frozen=True, kw_only=True)
class _Marks:
    """Rows at which something is drawn across the page."""

    rows: Float[ndarray, "n"]
    ink: Float[ndarray, "n"]
    height: Float[ndarray, "n"]
    """Darkness, grey levels."""

    def __getitem__(self, some: Bool[ndarray, "n"]) -> "_Marks":
        return _Marks(rows=self.rows[some], ink=self.ink[some], height=self.height[some])


def find_depth_lines(
    page: UInt8[ndarray, "h w"],
) -> tuple[list[DepthLines], Bool[ndarray, "w"]]:
    """Find the sections of depth lines, from top to bottom, and the columns in which they are
    drawn, roughly.

    Lines are rows that are darker than the rows around them in most blocks of columns. Those of a
    section are the chain of such rows that holds most of them, each a whole number of steps from
    the one before: what is no part of the series (the frame, a header rule, a line that is seen
    twice) is left out.
    """
    darkness, blocks = _darkness(page)
    columns = np.repeat(blocks, _block_width(page))
    columns = np.pad(columns, (0, page.shape[1] - len(columns)))
    marks = _marks(darkness)
    spacings, free = _spacings(marks.rows, len(page)), np.ones(len(marks.rows), np.bool_)
    found = list[DepthLines]()
    while (chain := _best(marks, free, spacings)) is not None:
        chain = _cut(chain, np.setdiff1d(marks.rows[free], chain.rows))
        drawn = _is_drawn(page[:, columns], chain)
        if drawn or len(spacings) == 1:
            free &= (marks.rows < chain.rows[0] - 0.5) | (marks.rows > chain.rows[-1] + 0.5)
        else:  # words, or the pattern of a fill
            spacings = [one for one in spacings if abs(one / chain.spacing - 1) > 0.04]
        found += [chain] if drawn else []
    enough = min(15.0, 0.2 * max((len(one.rows) for one in found), default=0))  # not header rules
    usual = max(found, key=lambda one: len(one.rows)).spacing if found else 1.0
    found = [one for one in found if len(one.rows) >= enough or abs(one.spacing / usual - 1) < 0.02]
    return sorted(found, key=lambda one: one.rows[0]), columns


def _block_width(page: UInt8[ndarray, "h w"]) -> int:
    return max(_BLOCK, page.shape[1] // 100)


def _darkness(page: UInt8[ndarray, "h w"]) -> tuple[Float[ndarray, "h"], Bool[ndarray, "n"]]:
    """Return by how much every row is darker than the rows around it, in most blocks with lines,
    and which blocks these are."""
    h, w = page.shape
    width = _block_width(page)
    n = w // width
    mean = np.concatenate(
        [
            cv2.resize(rows[:, : n * width], (n, len(rows)), interpolation=cv2.INTER_AREA)
            for rows in np.array_split(page, max(1, h // 4096))
        ]
    )
    reach = max(13, w // 60)
    line = cv2.morphologyEx(mean, cv2.MORPH_BLACKHAT, np.ones((reach, 1), np.uint8))
    line = line.astype(np.float32)
    each = np.minimum(line / (np.quantile(line, 0.95, axis=0) + 8), 1)
    each -= each.mean(0)
    size = np.sqrt(np.square(each).sum(0)) + 1e-6
    common, blocks = each.mean(1), np.ones(n, np.bool_)
    for _ in range(3):
        common = common - common.mean()
        alike = (common @ each) / (size * np.sqrt(np.square(common).sum()) + 1e-6)
        blocks = alike >= 0.5 * np.quantile(alike, 0.9)
        common = np.median(np.minimum(line[:, blocks], 60), axis=1)
    return np.quantile(line[:, blocks], 0.6, axis=1), blocks


def _marks(darkness: Float[ndarray, "h"]) -> _Marks:
    """Find the rows that stand out."""
    root = np.sqrt(darkness)  # light lines count beside heavy ones
    least = max(0.8, 0.2 * float(np.quantile(root, 0.98)))
    at, _ = find_peaks(root, prominence=least)
    if not len(at):
        return _Marks(rows=np.empty(0), ink=np.empty(0), height=np.empty(0))
    width, _, left, right = peak_widths(darkness, at, rel_height=0.5)
    return _Marks(rows=(left + right) / 2, ink=width * darkness[at], height=darkness[at])


def _best(marks: _Marks, free: Bool[ndarray, "n"], spacings: list[float]) -> DepthLines | None:
    """Return the best chain of free marks at any of the spacings; None if none is worth a
    section."""
    chains = [_best_chain(marks, free, spacing) for spacing in spacings]
    best = max((one for one in chains if one), key=lambda one: one.worth, default=None)
    return None if best is None or best.worth < 0.5 * (1 - _LINE_COST) * LEAST_LINES else best


def _cut(chain: DepthLines, extra: Float[ndarray, "m"]) -> DepthLines:
    """Return the longest part of a chain that is one section: what lies beyond a gap belongs to it
    if the lines there have the same spacing, fall into step, and have as many `extra` rows between
    them."""
    begins = np.flatnonzero(np.diff(chain.steps) >= MAX_CLUTTERED) + 1
    pieces = [np.arange(a, b) for a, b in pairwise([0, *begins.tolist(), len(chain.rows)])]
    parts = list[Int[ndarray, "k"]]()
    for piece in pieces:
        if parts and (len(piece) < LEAST_LINES or _is_one(chain, extra, parts[-1], piece)):
            parts[-1] = np.concatenate([parts[-1], piece])
        elif parts and len(parts[-1]) < LEAST_LINES:
            parts[-1] = piece
        else:
            parts.append(piece)
    longest = max(parts, key=len)
    while len(begins := np.flatnonzero(np.diff(chain.steps[longest]) >= MAX_CLUTTERED)):
        if begins[0] + 1 < LEAST_LINES:
            longest = longest[begins[0] + 1 :]
        elif len(longest) - begins[-1] - 1 < LEAST_LINES:
            longest = longest[: begins[-1] + 1]
        else:
            break
    return chain.part(longest)


def _is_one(
    chain: DepthLines,
    extra: Float[ndarray, "m"],
    above: Int[ndarray, "k"],
    below: Int[ndarray, "l"],
) -> bool:
    """Return whether lines above and below a gap belong to one section."""
    ends = above[-30:], below[:30]
    rows, steps = [chain.rows[end] for end in ends], [chain.steps[end] for end in ends]
    if any(len(end) < LEAST_LINES for end in ends):
        return True
    (pace, at), (pace_below, at_below) = (
        np.polyfit(n - chain.steps[below[0]], y, 1) for n, y in zip(steps, rows, strict=True)
    )
    gap = rows[1][0] - rows[0][-1]
    strides = [np.median(np.diff(one)) for one in steps]
    busy = [((extra > y[0]) & (extra < y[-1])).sum() / len(y) for y in rows]
    return bool(
        abs(pace / pace_below - 1) < 0.025
        and abs(at - at_below) < 1.5 + 0.08 * pace + 0.005 * gap
        and strides[0] == strides[1]
        and not min(busy) < 0.25 < 0.6 < max(busy)
    )


def _is_drawn(page: UInt8[ndarray, "h w"], lines: DepthLines) -> bool:
    """Return whether most of the lines are drawn in many columns: lines of words are not."""
    rows, half = lines.rows[:: max(1, len(lines.rows) // 200)], lines.spacing / 2
    on, before, after = (
        np.array([page[max(0, row - 1) : row + 2].min(0) for row in at.round().astype(int)], int)
        for at in (rows, np.maximum(rows - half, 0), np.minimum(rows + half, len(page) - 1))
    )
    darker = np.median(np.maximum(before, after) - on, axis=0)
    return bool((darker > 0.3 * lines.strength).mean() > 0.35)


def _spacings(rows: Float[ndarray, "n"], h: int) -> list[float]:
    """Estimate the distances of neighbouring lines: over the page, and over parts of it."""
    train = np.bincount(rows.round().astype(int), minlength=h)[:h].astype(float)
    train = gaussian_filter1d(train, 0.8)
    found = list[float]()
    for length in (h, 2400, 800):
        for first in range(0, max(1, h - length // 2), max(1, length // 2)):
            if length <= h and (spacing := _period(train[first : first + length])):
                found.append(spacing)
    distinct = list[float]()
    for spacing in found:
        if all(abs(spacing / other - 1) > 0.04 for other in distinct):
            distinct.append(spacing)
    return distinct[:12]


def _period(train: Float[ndarray, "n"]) -> float:
    """Return the least lag at which a series is like itself; 0 if there is none."""
    n = len(train)
    if train.sum() < LEAST_LINES - 1:
        return 0.0
    zeroed = train - train.mean()
    alike = correlate(zeroed, zeroed, method="fft")[n - 1 :] / np.arange(n, 0, -1)
    part = alike[: max(4, n // 4)]
    at, _ = find_peaks(part, height=0.15 * part[0])
    at = at[at >= 3]
    if not len(at):
        return 0.0
    lag = int(at[part[at] >= 0.55 * part[at].max()][0])
    before, here, after = part[lag - 1], part[lag], part[min(lag + 1, len(part) - 1)]
    bend = before - 2 * here + after
    return lag + (0.5 * (before - after) / bend if bend else 0.0)


def _best_chain(marks: _Marks, free: Bool[ndarray, "n"], spacing: float) -> DepthLines | None:
    """Return the best chain of free marks at a spacing."""
    some = marks[free]
    if len(some.rows) < LEAST_LINES:
        return None
    best: DepthLines | None = None
    for _ in range(2):  # the second time at the spacing that the first one tells
        worth, chain, steps = _chain(some.rows, _weights(some, spacing), spacing)
        if len(chain) < LEAST_LINES or len(chain) < 0.5 * (steps[-1] + 1):
            return None
        best = DepthLines(
            rows=some.rows[chain],
            ink=some.ink[chain],
            steps=steps,
            strength=float(np.median(some.height[chain])),
            worth=worth,
        )
        spacing = best.spacing
    return best


def _weights(marks: _Marks, spacing: float) -> Float[ndarray, "n"]:
    """Weigh marks by their darkness beside that of the lines around them, 1 at most."""
    root, there = np.sqrt(marks.height), np.searchsorted
    reach = 25 * spacing
    first, last = there(marks.rows, marks.rows - reach), there(marks.rows, marks.rows + reach)
    usual = [np.quantile(root[a:b], 0.5) for a, b in zip(first, last, strict=True)]
    return np.minimum(1, root / np.array(usual))


def _chain(
    rows: Float[ndarray, "n"], weights: Float[ndarray, "n"], spacing: float
) -> tuple[float, Int[ndarray, "m"], Int[ndarray, "m"]]:
    """Find the most valuable chain of rows at whole numbers of steps; returns its value, its rows'
    numbers, and their steps from its first row."""
    worth, before, jump = weights - _LINE_COST, np.full(len(rows), -1), np.zeros(len(rows), int)
    jitter = min(_JITTER, 0.2 * spacing)
    passed = np.concatenate([[0], np.cumsum(weights)])
    first = np.searchsorted(rows, rows - (MAX_MISSING_LINES + 1.3) * spacing)
    for i in range(len(rows)):
        gap = rows[i] - rows[first[i] : i]
        steps = np.rint(gap / spacing)
        slack = np.minimum(0.15 * spacing, 0.4 + (0.05 + 0.005 * steps) * spacing)
        off = np.maximum(np.abs(gap - steps * spacing) - jitter, 0) / slack
        links = worth[first[i] : i] - _MISSING_COST * np.minimum(steps - 1, 10) - _OFF_COST * off**2
        between = passed[i] - passed[first[i] + 1 : i + 1]
        cluttered = (steps > MAX_CLUTTERED) & (between > 0.25 * steps)
        links[(steps < 1) | (off > 1) | cluttered] = -np.inf
        if links.max(initial=0) > 0:
            best = int(links.argmax())
            worth[i] += links[best]
            before[i], jump[i] = first[i] + best, steps[best]
    at = int(worth.argmax())
    chain, counted = [at], [0]
    while before[at] >= 0:
        counted.append(counted[-1] + jump[at])
        at = int(before[at])
        chain.append(at)
    steps = counted[-1] - np.array(counted[::-1])
    return float(worth.max()), np.array(chain[::-1]), steps
