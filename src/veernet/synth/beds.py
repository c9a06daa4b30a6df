"""Rock along a borehole: common beds from which all tools of a well take their readings."""

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from numpy.random import Generator

SHALE, BLACK, SAND, LIME, DOLOMITE, ANHYDRITE, SALT, COAL = range(8)

_PROVINCES = np.array(
    [
        # shale, black, sand, lime, dolomite, anhydrite, salt, coal
        [0.44, 0.05, 0.02, 0.46, 0.03, 0.00, 0.00, 0.00],  # cycles of shale and limestone
        [0.55, 0.02, 0.40, 0.02, 0.00, 0.00, 0.00, 0.01],  # sand and shale
        [0.12, 0.00, 0.06, 0.22, 0.60, 0.00, 0.00, 0.00],  # dolomite
        [0.35, 0.00, 0.05, 0.10, 0.20, 0.22, 0.08, 0.00],  # evaporites
        [0.62, 0.06, 0.26, 0.04, 0.00, 0.00, 0.00, 0.02],  # shale with streaks
    ]
)
_PROVINCE_SHARES = np.array([0.70, 0.10, 0.08, 0.04, 0.08])
_THICKNESS = np.array([1.4, 0.45, 1.2, 1.0, 1.3, 0.9, 1.6, 0.35])
"""Median thickness of a bed, in those of the well."""
_SHALINESS = np.array([0.88, 1.0, 0.14, 0.11, 0.08, 0.03, 0.0, 0.1])
_SHALINESS_SPREAD = np.array([0.13, 0.03, 0.14, 0.12, 0.08, 0.03, 0.01, 0.1])
_PORES = np.array([0.03, 0.03, 0.08, 0.01, 0.03, 0.002, 0.002, 0.01])
"""Least porosity of what is not shale."""
_PORES_MORE = np.array([0.03, 0.03, 0.09, 0.05, 0.06, 0.006, 0.003, 0.01])
"""Mean of what it has more, drawn from a gamma distribution of shape 1.5."""
_ITSELF = 0.35
"""Weight of a bed that is like the one above, against any other."""


@dataclass(frozen=True, kw_only=True)
class Rock:
    """Rock that a borehole passes through, one value per depth."""

    lithology: Int[ndarray, "n"]
    """SHALE, BLACK (hot shale), SAND, LIME, DOLOMITE, ANHYDRITE, SALT or COAL."""
    shale: Float[ndarray, "n"]
    """Volume of shale, 0 to 1."""
    pores: Float[ndarray, "n"]
    """Porosity of what is not shale, 0 to 0.4."""
    water: Float[ndarray, "n"]
    """Saturation with water, 0.1 to 1."""
    gas: Float[ndarray, "n"]
    """1 where what is not water is gas."""
    invasion: Float[ndarray, "n"]
    """Reach of the mud's filtrate, 0 (tight) to 1."""
    kind: Float[ndarray, "4 n"]
    """Deviation of a bed from others of its lithology, in standard deviations: to gamma rays, to
    density and neutron, to sonic, to resistivity."""
    heat: Float[ndarray, "n"]
    """Gamma rays of uranium, in those of shale."""
    caving: Float[ndarray, "n"]
    """Washout of the hole, in the well's own measure; 0 where it is in gauge."""


def blur(x: Float[ndarray, "n"], sigma: float) -> Float[ndarray, "n"]:
    """Average with Gaussian weights of `sigma` samples, the ends held."""
    if sigma < 0.2:
        return x
    reach = int(np.ceil(2.6 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    held = np.concatenate([np.full(reach, x[0]), x, np.full(reach, x[-1])])
    return np.convolve(held, kernel / kernel.sum(), mode="valid")


def texture(rng: Generator, n: int, length: float) -> Float[ndarray, "n"]:
    """Draw noise of unit variance that resembles itself over `length` samples."""
    if length < 0.5:
        return rng.standard_normal(n)
    every = max(1, int(length / 3))
    coarse = length / every
    reach = int(np.ceil(2.6 * coarse / 2**0.5))
    kernel = np.exp(-((np.arange(-reach, reach + 1) / coarse) ** 2))
    kernel /= np.sqrt((kernel**2).sum())
    m = n if every == 1 else n // every + 2
    z = np.convolve(rng.standard_normal(m + 2 * reach), kernel, mode="valid")
    return z if every == 1 else np.interp(np.arange(n) / every, np.arange(m), z)


def draw_rock(rng: Generator, n_samples: int, step_ft: float) -> Rock:
    """Draw the rock along a borehole: formations, each a Markov sequence of beds of lognormal
    thickness, some of which pass gradually into the next, with a texture of their own."""
    lithology, thickness = _draw_beds(rng, n_samples * step_ft)
    edges = np.cumsum(thickness)
    depth = (np.arange(n_samples) + rng.random()) * step_ft
    bed = np.minimum(np.searchsorted(edges, depth, side="right"), len(edges) - 1)
    within = 1 - (edges[bed] - depth) / thickness[bed]
    below = np.minimum(bed + 1, len(edges) - 1)
    gradual = (rng.random(len(edges)) < rng.uniform(0, 0.5))[bed] * within

    def along(values: Float[ndarray, "... b"]) -> Float[ndarray, "... n"]:
        here = values.take(bed, axis=-1)
        return here + gradual * (values.take(below, axis=-1) - here)

    m = len(lithology)
    shale = np.abs(_SHALINESS + _SHALINESS_SPREAD * rng.standard_normal((m, 8)))
    pores = _PORES + _PORES_MORE / 1.5 * rng.gamma(1.5, size=(m, 8)) * rng.uniform(0.7, 1.3)
    of = np.arange(m), lithology
    fine, coarse = (texture(rng, n_samples, ft / step_ft) for ft in (0.9, 3.0))
    rough = rng.uniform(0.3, 1.2)
    vsh = along(shale[of]) + rough * (0.05 * fine + 0.06 * coarse)
    porosity = along(pores[of]) * np.exp(
        0.12 * rough * texture(rng, n_samples, 1.2 / step_ft)
        + 0.3 * texture(rng, n_samples, 50 / step_ft)
    )
    water, gas, invasion = _fluids(rng, lithology, shale[of], pores[of])
    heat = np.where(lithology == BLACK, rng.exponential(0.9, m), 0.22 * rng.exponential(1, m))
    weak = np.isin(lithology, (SHALE, BLACK, SALT, COAL)) * (rng.random(m) < rng.uniform(0.2, 0.9))
    return Rock(
        lithology=lithology[bed],
        shale=np.clip(vsh, 0, 1),
        pores=np.clip(porosity, 0.002, 0.42),
        water=np.clip(along(water), 0.1, 1),
        gas=gas[bed],
        invasion=along(invasion),
        kind=_kinds(rng, along, m, n_samples, step_ft),
        heat=along(heat),
        caving=np.maximum(0, along(weak * rng.exponential(1, m)) * (1 + 0.3 * fine + 0.3 * coarse)),
    )


def _kinds(
    rng: Generator,
    along: Callable[[Float[ndarray, "... b"]], Float[ndarray, "... n"]],
    n_beds: int,
    n_samples: int,
    step_ft: float,
) -> Float[ndarray, "4 n"]:
    """Draw what sets beds of a lithology apart: from bed to bed, within it, and slowly."""
    kinds = along(0.9 * rng.standard_normal((4, n_beds)))
    for row in kinds:
        row += 0.5 * texture(rng, n_samples, 2.5 / step_ft)
        row += 0.8 * texture(rng, n_samples, 50 / step_ft)
    return kinds + 0.5 * texture(rng, n_samples, 30 / step_ft)


def _draw_beds(rng: Generator, length_ft: float) -> tuple[Int[ndarray, "b"], Float[ndarray, "b"]]:
    """Draw lithology and thickness, ft, of beds that fill a length."""
    median = rng.lognormal(float(np.log(5.2)), 0.45)
    sigma = rng.uniform(0.6, 1.0)
    kinds, thick, filled = list[Int[ndarray, "k"]](), list[Float[ndarray, "k"]](), 0.0
    while filled < length_ft:
        formation = min(rng.lognormal(float(np.log(120)), 0.9), length_ft - filled) + 1
        shares = _PROVINCES[int(rng.choice(len(_PROVINCES), p=_PROVINCE_SHARES))]
        shares = shares * rng.gamma(4, size=len(shares))
        n = 2 + int(1.6 * formation / median)
        lithology = _chain(rng, shares, n)
        thickness = _THICKNESS[lithology] * median * rng.lognormal(0, sigma, n)
        count = 1 + int(np.searchsorted(np.cumsum(thickness), formation))
        kinds.append(lithology[:count])
        thick.append(thickness[:count])
        filled += float(thick[-1].sum())
    return np.concatenate(kinds), np.concatenate(thick)


def _chain(rng: Generator, shares: Float[ndarray, "k"], n: int) -> Int[ndarray, "n"]:
    """Draw a Markov sequence of lithologies, seldom twice the same."""
    chances = np.where(np.eye(len(shares), dtype=bool), _ITSELF, 1.0) * shares
    sums = np.cumsum(chances, axis=1)
    rows = (sums / sums[:, -1:]).tolist()
    state = int(np.argmax(rng.multinomial(1, shares / shares.sum())))
    states = list[int]()
    for lot in rng.random(n).tolist():
        states.append(state)
        state = min(bisect(rows[state], lot), len(rows) - 1)
    return np.array(states)


def _fluids(
    rng: Generator,
    lithology: Int[ndarray, "b"],
    shale: Float[ndarray, "b"],
    pores: Float[ndarray, "b"],
) -> tuple[Float[ndarray, "b"], Float[ndarray, "b"], Float[ndarray, "b"]]:
    """Draw water saturation, gas and invasion of beds: only porous, clean ones hold or lose any."""
    m = len(lithology)
    open_ = (pores > 0.05) & (shale < 0.4) & ~np.isin(lithology, (SHALE, BLACK, SALT, ANHYDRITE))
    pay = open_ & (rng.random(m) < rng.uniform(0, 0.4))
    water = np.where(pay, rng.uniform(0.2, 0.8, m), 1.0)
    gas = (pay & (rng.random(m) < rng.choice([0.0, 0.0, 0.3, 0.9]))).astype(float)
    reach = np.where(open_, rng.beta(1.5, 1.5, m), 0.05 * rng.random(m))
    return water, gas, reach
