"""Evidence for every curve of a track, at every pixel: what its ink, its style, its weight, its
colour and its points say of it.

Scores are logarithms of likelihood ratios per column, in nats: ink of a curve against paper.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from veernet.curves.together import Evidence
from veernet.digitisation.asked import Asked
from veernet.digitisation.ink import TrackInk
from veernet.digitisation.inks import to_lab

INK, PAPER = 4.5, -3.9
"""Score of ink of a curve, and of paper where the curve should be."""

BETWEEN_STROKES = {"solid": PAPER, "broken": -1.1, None: -2.4}
"""Score of paper near ink of the curve itself, by its kind: a broken line has gaps."""

HIDDEN = {"solid": -1.5, "broken": -0.9, None: -1.2}
"""Score of a curve on a black line of the grid, which hides it, by its kind."""

COVERED = {"solid": -1.5, "broken": -0.9, None: -1.2}
"""Score of a curve that lies under another one, by its kind."""

BEYOND = -1.0
"""Score per column of a curve that has left the track."""

LEAVING, JUMPING = 4.0, 40.0
"""Cost of leaving the track along ink that leads to its edge, and elsewhere, nats."""

_AT_EDGE = (0.03, 4)
"""Reach of the edge into the track: in fractions of its height, and at least so many px."""

REACH = 3.0
"""Distance beyond the width of a pen up to which two paths claim the same ink, px."""

UNSEEN = 0.9
"""Weight of ink that the network does not see."""

_ACROSS_PAPER, _NEAR_INK, _NEAR_STROKES = 300.0, 150.0, 100.0
"""Costs of moving across paper, across paper that ink of a solid curve is near, and across the
gaps of a broken one, in nats per height of the track."""

_ALONG_INK, _INTO_STROKE = 10.0, 100.0
"""Cost of moving across ink, and gain from moving along the middle of a steep stroke, in nats per
height of the track."""

_STEEP = 14
"""Widest run of ink along the track, px, that is a steep stroke."""

_GAP = (9, 41)
"""Reach of a broken line's own ink, px across and along: gaps between strokes are shorter."""

_MOST_PIN, _PIN, _NEAREST = 400.0, 3.0, 2.0
"""Gain from passing a point of the curve, so that of curves of a look one with points is followed
first, and what is lost of it per pixel beyond `_NEAREST`, px."""


def evidence_of(ink: TrackInk, own: Float[ndarray, "K h w"], curves: tuple[Asked, ...]) -> Evidence:
    """Return the evidence for the curves of a track; `own` is their `own_ink`."""
    (h, w), k = ink.shape, len(curves)
    score, step_cost = np.empty((k, h, w), np.float32), np.empty((k, h, w), np.float32)
    for i, curve in enumerate(curves):
        score[i] = _score(ink, own[i], curve)
        hidden = PAPER + (HIDDEN[curve.kind] - PAPER) * np.minimum(ink.level, 1)
        score[i] = np.where(ink.lines, np.maximum(score[i], hidden), score[i])
        step_cost[i] = _step_cost(ink, own[i], curve)
        _pin(score[i], ink, curve)
    return Evidence(
        score=score,
        step_cost=step_cost,
        covered=np.array([COVERED[curve.kind] for curve in curves], np.float32),
        reach=ink.pen + REACH,
        laps=tuple(curve.laps for curve in curves),
        beyond=BEYOND,
        leaving=np.stack([_leaving(one) for one in own]),
    )


def own_ink(ink: TrackInk, curves: tuple[Asked, ...]) -> Float[ndarray, "K h w"]:
    """Return how well the ink of each pixel fits each curve, 0 to 1."""
    seen = ink.seen
    unseen = np.clip(UNSEEN * ink.print - seen, 0, None)
    own = np.stack(
        [np.minimum(np.tensordot(_weights(one, ink), ink.planes, 1) + unseen, 1) for one in curves]
    )
    if ink.lab is None or not any(curve.rgb for curve in curves):
        return own
    paper = np.median(ink.lab[::3, ::3].reshape(-1, 3), axis=0)
    way = ink.lab - paper
    far = np.linalg.norm(way, axis=2)
    alike = [None if one.rgb is None else _alike(way, far, paper, one.rgb) for one in curves]
    for i, curve in enumerate(curves):
        if (fit := alike[i]) is not None:
            of_pen = 1 / (1 + np.exp(-(fit - 0.8) / 0.06))
            inked = np.clip((far - 8) / 40, 0, 1) * of_pen * ~ink.lines
            own[i] = np.maximum(own[i] * np.clip(of_pen + (far < 12), 0, 1), 0.7 * inked)
        for j, other in enumerate(alike):
            if other is not None and curves[j].rgb != curve.rgb:
                of_other = 1 / (1 + np.exp(-(other - 0.9) / 0.04))
                own[i] *= 1 - (of_other if fit is None else np.where(other > fit, of_other, 0))
    return own


def _weights(curve: Asked, ink: TrackInk) -> Float[ndarray, "C"]:
    """Return how much each plane of the network says of a curve: its own most, and others too,
    since a network takes one style for another where ink is scarce."""
    weights = np.full(len(ink.planes), 0.5, np.float32)
    if curve.kind != "solid":
        weights[:2] = 1.0
    if curve.plane < len(weights):
        weights[curve.plane] = 1.0
    return weights


def _alike(
    way: Float[ndarray, "h w 3"],
    far: Float[ndarray, "h w"],
    paper: Float[ndarray, "3"],
    rgb: tuple[int, int, int],
) -> Float[ndarray, "h w"]:
    """Return the cosine of the angle between each colour and a pen's, as seen from the paper."""
    pen = to_lab(np.array([[rgb]], np.uint8))[0, 0] - paper
    return (way @ (pen / max(float(np.linalg.norm(pen)), 1e-6))) / np.maximum(far, 8)


def _score(ink: TrackInk, own: Float[ndarray, "h w"], curve: Asked) -> Float[ndarray, "h w"]:
    if curve.kind == "solid":
        return PAPER + (INK - PAPER) * own
    mine = ink.planes[1:2].sum(0) if curve.kind == "broken" else ink.seen
    strokes = (mine > 0.3) & (own > 0.3)
    if curve.kind == "broken":
        strokes |= (ink.print > 0.4) & (own > 0.3) & (ink.planes[0] < 0.3)
    near = cv2.dilate(strokes.astype(np.uint8), np.ones(_GAP, np.uint8)) > 0
    paper = np.where(near, BETWEEN_STROKES[curve.kind], PAPER)
    return paper + (INK - paper) * own


def _step_cost(ink: TrackInk, own: Float[ndarray, "h w"], curve: Asked) -> Float[ndarray, "h w"]:
    h = len(own)
    seen = np.maximum(own, 0.9 * np.minimum(1.2 * ink.print, 1) * (own > 0.05))
    inked = seen >= 0.5
    gap, near_cost = (7, _NEAR_INK) if curve.kind == "solid" else (21, _NEAR_STROKES)
    near = cv2.dilate(inked.astype(np.uint8), np.ones((gap, 1), np.uint8)) > 0
    cost = np.where(near, near_cost, _ACROSS_PAPER) * (1 - seen)
    cost = np.where(inked, _ALONG_INK, cost)
    return np.where(_middles(inked), -_INTO_STROKE, cost) / h


def _middles(inked: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """Find the middles of short runs of ink along the track: there steep strokes are."""
    change = np.diff(inked.astype(np.int8), axis=1, prepend=0, append=0)
    (rows, first), (_, after) = np.nonzero(change == 1), np.nonzero(change == -1)
    steep = after - first <= _STEEP
    middles = np.zeros(inked.shape, np.bool_)
    middles[rows[steep], ((first + after - 1) // 2)[steep]] = True
    return middles


def _leaving(own: Float[ndarray, "h w"]) -> Float[ndarray, "2 w"]:
    """Return the cost of leaving the track at its upper and lower edge in each column."""
    share, least = _AT_EDGE
    reach = max(least, round(share * len(own)))
    ends = np.stack([own[:reach].max(0), own[-reach:].max(0)])
    led = cv2.dilate(ends, np.ones((1, 7), np.uint8)) >= 0.5
    return np.where(led, LEAVING, JUMPING).astype(np.float32)


def _pin(score: Float[ndarray, "h w"], ink: TrackInk, curve: Asked) -> None:
    """Keep a curve near its points."""
    rows = np.arange(len(score), dtype=np.intp)
    for column, row in curve.points:
        far = np.abs(rows - row) - max(_NEAREST, ink.pen / 2 + 1)
        score[:, column] += np.maximum(_MOST_PIN - _PIN * np.maximum(far, 0), 0)
