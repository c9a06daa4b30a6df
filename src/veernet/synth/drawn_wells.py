"""Drawn wells: what tools read of the rock along a borehole, by textbook equations.

Archie (1942) for resistivity, Wyllie (1956) for sonic, linear mixing for density, neutron and
gamma ray, mixing of the volumetric cross section for the photoelectric factor; conductivities of
the invaded and the virgin zone in parallel for induction, resistivities in series for shallow
tools. The constants are near those of wells in Kansas, and spread wider.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from veernet.synth.beds import BLACK, COAL, Rock, blur, draw_rock, texture
from veernet.synth.kinship import MEMBERS
from veernet.synth.wells import Well

# By lithology, in the order of `veernet.synth.beds`; shale has values of its own in `Setting`.
_DENSITY = np.array([2.65, 2.65, 2.65, 2.71, 2.86, 2.97, 2.04, 1.35])
_NEUTRON = np.array([0.0, 0.0, -0.03, 0.0, 0.035, -0.01, -0.02, 0.45])
_TRANSIT = np.array([54.0, 54.0, 54.0, 47.6, 43.5, 50.0, 67.0, 115.0])
_FACTOR = np.array([2.2, 2.2, 1.81, 5.08, 3.14, 5.05, 4.65, 0.2])
_GAMMA = np.array([0.2, 0.2, 0.05, 0.0, 0.02, -0.05, -0.1, 0.2])
"""Gamma rays of a matrix, above clean rock, in those of shale."""


_STRING = (
    ("TENS", "BS"),
    ("GR",),
    ("SP",),
    ("ILD", "ILM", "COND"),
    ("SFL",),
    ("RXO",),
    ("MINV", "MNOR"),
    ("RHOB", "DPHI", "DRHO", "PE"),
    ("CALI", "CALY"),
    ("NPHI",),
    ("DT", "SPHI"),
)
"""Curves that one tool of the string gives: they begin and end together."""
_OPEN_HOLE = {"RXO", "MINV", "RHOB", "DT"}
"""A curve of each tool that is switched off below casing."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Waters, mud, shale and tools, each the same over a whole well."""

    step_ft: float
    clean_gr: float
    shale_gr: float
    shale_density: float
    shale_neutron: float
    shale_transit: float
    shale_ohm: float
    anisotropy: float
    """Shale's resistivity to shallow tools over that to induction."""
    water_ohm: float
    filtrate_ohm: float
    cementation: float
    bit: float
    washout: float
    """Inches of a caving of 1."""
    cake: float
    """Thickness of the mud cake on permeable rock, in."""
    noise: float
    """Factor on the noise of all tools."""


def draw_setting(rng: Generator, step_ft: float) -> Setting:
    """Draw the setting of a well."""
    clean = rng.uniform(10, 30)
    water = 0.12 * rng.lognormal(0, 0.6)
    fresh = rng.random() < 0.88
    ratio = 3.8 * rng.lognormal(0, 0.5) if fresh else rng.uniform(0.4, 1.2)
    return Setting(
        step_ft=step_ft,
        clean_gr=clean,
        shale_gr=clean + rng.uniform(56, 92),
        shale_density=rng.normal(2.53, 0.05),
        shale_neutron=rng.normal(0.315, 0.035),
        shale_transit=rng.normal(108, 9),
        shale_ohm=4.0 * rng.lognormal(0, 0.35),
        anisotropy=rng.lognormal(0.62, 0.25),
        water_ohm=water,
        filtrate_ohm=water * ratio,
        cementation=rng.uniform(1.85, 2.15),
        bit=float(rng.choice([7.875, 7.875, 7.875, 8.5, 8.75, 6.25, 12.25])),
        washout=0.5 * rng.lognormal(0, 0.7),
        cake=rng.uniform(0, 0.5),
        noise=rng.lognormal(0, 0.3),
    )


def draw_well(rng: Generator, n_samples: int, step_ft: float) -> Well:
    """Draw a well with all members of `MEMBERS`, in the length that was asked for.

    The beds are common to all curves; resolution, noise, spikes, and the depths at which it begins
    and ends are each curve's own. Depends on the generator's state and the arguments alone.

    >>> well = draw_well(np.random.default_rng(0), 400, 0.5)
    >>> sorted(well.curves)[:4], well.n_samples
    (['BS', 'CALI', 'CALY', 'COND'], 400)
    """
    rock, setting = draw_rock(rng, n_samples, step_ft), draw_setting(rng, step_ft)
    hole = _caliper(rng, rock, setting)
    curves = {
        "GR": _gamma_ray(rng, rock, setting),
        "SP": _potential(rng, rock, setting),
        **hole,
        "TENS": _tension(rng, n_samples, setting),
        **_resistivities(rng, rock, setting),
        **_porosities(rng, rock, setting, hole["CALI"] - setting.bit),
        **_sonic(rng, rock, setting, hole["CALI"] - setting.bit),
    }
    top = float(rng.integers(20, 600)) * 10
    curves = {name: np.clip(curves[name], *MEMBERS[name].bounds) for name in MEMBERS}
    return Well(top_ft=top, step_ft=step_ft, curves=_cut_ends(rng, curves, setting))


def _mixed(
    rock: Rock, matrix: Float[ndarray, "8"], shale: Float[ndarray, "n"], fluid: Float[ndarray, "n"]
) -> Float[ndarray, "n"]:
    """Mix linearly: matrix, shale and the fluid in the pores, by volume."""
    clean = 1 - rock.shale
    return clean * ((1 - rock.pores) * matrix[rock.lithology] + rock.pores * fluid) + (
        rock.shale * shale
    )


def _noise(rng: Generator, setting: Setting, n: int, ft: float) -> Float[ndarray, "n"]:
    """Draw a tool's noise, averaged over a length."""
    return setting.noise * texture(rng, n, ft / setting.step_ft)


def _gamma_ray(rng: Generator, rock: Rock, setting: Setting) -> Float[ndarray, "n"]:
    """Rays of shale, matrix and uranium, counted: the noise grows as their root."""
    span = setting.shale_gr - setting.clean_gr
    level = rock.shale * (1 + 0.27 * rock.kind[0]) + rock.heat + _GAMMA[rock.lithology]
    level = level + rng.uniform(0, 0.16) * texture(rng, len(level), 1.5 / setting.step_ft)
    counted = setting.clean_gr + span * blur(level, 0.7 / setting.step_ft)
    counted = np.maximum(counted, 3)
    noise = _noise(rng, setting, len(counted), 0.8)
    return np.abs(counted + 0.3 * np.sqrt(counted) * noise)


def _potential(rng: Generator, rock: Rock, setting: Setting) -> Float[ndarray, "n"]:
    """Static SP of clean permeable rock, smeared by the borehole, on a base line that drifts."""
    static = -85 * np.log10(setting.filtrate_ohm / setting.water_ohm)
    n, step = len(rock.shale), setting.step_ft
    open_ = (1 - rock.shale) * np.clip(0.8 + 3 * rock.pores + 0.5 * rock.kind[3], 0, 1.8)
    sp = static * blur(open_, rng.uniform(1.5, 3.5) / step)
    drift = rng.normal(0, 0.012) * step * np.arange(n) + rng.uniform(2, 14) * texture(
        rng, n, rng.uniform(30, 150) / step
    )
    return sp + drift + 0.25 * _noise(rng, setting, n, 1.0) + rng.uniform(-60, 0)


def _caliper(rng: Generator, rock: Rock, setting: Setting) -> dict[str, Float[ndarray, "n"]]:
    """Bit size, washed out where the rock caves, narrowed by mud cake where it lets water pass."""
    n, step = len(rock.shale), setting.step_ft
    caved, cake = blur(rock.caving, 0.8 / step), blur(rock.invasion, 0.8 / step)
    gauge = setting.bit + rng.normal(0.05, 0.12)
    oval, turned = rng.uniform(0, 0.3), rng.uniform(0.3, 1.0)
    slow = rng.uniform(0.08, 0.35) * texture(rng, n, 40 / step)
    hole = gauge + slow + setting.washout * caved - setting.cake * cake
    other = gauge + turned * (hole - gauge) + oval * texture(rng, n, 9 / step)
    fine = 0.02 * _noise(rng, setting, n, 0.6)
    other = other + rng.normal(0, 0.07) + 0.02 * _noise(rng, setting, n, 0.6)
    return {"CALI": hole + fine, "CALY": other, "BS": np.full(n, setting.bit)}


def _tension(rng: Generator, n: int, setting: Setting) -> Float[ndarray, "n"]:
    """Weight of the cable, less from the bottom up, with drag that builds up and lets go."""
    step = setting.step_ft
    depth = step * np.arange(n)
    line = rng.uniform(1000, 3000) + rng.uniform(0.05, 0.3) * depth
    slow = rng.uniform(10, 60) * texture(rng, n, rng.uniform(15, 60) / step)
    drag = np.zeros(n)
    for _ in range(rng.poisson(n * step / 800)):
        length = max(1, int(rng.uniform(3, 25) / step))
        at = int(rng.integers(0, n))
        part = drag[max(0, at - length) : at]
        part += rng.exponential(300) * np.linspace(1, 0, len(part))
    return line + slow + drag + 6 * _noise(rng, setting, n, 0.5)


def _resistivities(rng: Generator, rock: Rock, setting: Setting) -> dict[str, Float[ndarray, "n"]]:
    """Deep, medium and shallow readings of rock that the filtrate has invaded, and micrologs."""
    n, step, clean = len(rock.shale), setting.step_ft, 1 - rock.shale
    virgin, flushed = _conductivities(rng, rock, setting)
    loose, boost, gain = rng.uniform(0.1, 0.65), rng.uniform(0, 0.2), rng.lognormal(0, 0.02, 4)

    def induction(share: Float[ndarray, "n"], ft: float, k: int) -> Float[ndarray, "n"]:
        signal = share * flushed + (1 - share) * virgin
        sharp, wide = blur(signal, ft / step), blur(signal, 2.5 * ft / step)
        mmho = 1000 * gain[k] * np.maximum((1 + boost) * sharp - boost * wide, 0.3 * sharp)
        zero = rng.normal(0, 1.5) + 0.4 * _noise(rng, setting, n, 4.0)
        drift = 0.08 * loose * texture(rng, n, 20 / step)
        return mmho * (1 + drift + 0.01 * _noise(rng, setting, n, 2.0)) + zero

    deep = induction(0.25 * rock.invasion**2, 2.8, 0)
    medium = induction(0.02 + 0.7 * rock.invasion**2, 2.0, 1)
    reach = np.clip(0.5 + rock.invasion, 0, 1)
    series = blur(-np.log(reach * flushed + (1 - reach) * virgin), 0.5 / step)
    series = series + (0.04 + loose * clean) * texture(rng, n, 2.5 / step)
    series = series + 0.15 * loose * texture(rng, n, 20 / step)
    near = blur(-np.log(flushed), 0.45 / step)
    return {
        "ILD": 1000 / np.maximum(deep, 0.01),
        "ILM": 1000 / np.maximum(medium, 0.01),
        "SFL": gain[2] * np.exp(series + 0.015 * _noise(rng, setting, n, 0.8)),
        "RXO": gain[3] * np.exp(near + 0.04 * _noise(rng, setting, n, 0.4)),
        "COND": deep,
        **_micrologs(rng, rock, setting, near),
    }


def _conductivities(
    rng: Generator, rock: Rock, setting: Setting
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """Conductivity of rock that no filtrate has reached, and of rock flushed by it, mho/m: the
    pores' by Archie, with a saturation exponent of 2, beside the shale's."""
    pores = np.maximum(rock.pores * (1 - rock.shale), 0.004) ** setting.cementation
    pores = pores * np.where(rock.lithology == COAL, 0.02, 1.0)
    shale = rock.shale**1.4 / setting.shale_ohm
    shale = shale * np.exp(-0.22 * rock.kind[3] - 1.4 * (rock.lithology == BLACK))
    virgin = pores * rock.water**2 * np.exp(-0.5 * rock.kind[3]) / setting.water_ohm + shale
    fine = np.exp(0.3 * (1 - rock.shale) * texture(rng, len(pores), 0.9 / setting.step_ft))
    flushed = pores * rock.water**0.4 / setting.filtrate_ohm + shale / setting.anisotropy
    return virgin + 3e-4, flushed * fine + 3e-4


def _micrologs(
    rng: Generator, rock: Rock, setting: Setting, flushed: Float[ndarray, "n"]
) -> dict[str, Float[ndarray, "n"]]:
    """Readings of two depths through the mud cake: apart where there is cake, together elsewhere.

    flushed: logarithm of the resistivity of the flushed zone
    """
    n, step = len(rock.shale), setting.step_ft
    mud = np.log(setting.filtrate_ohm * rng.uniform(1.0, 2.5))
    cake = blur(rock.invasion, 0.4 / step)
    loss = 0.5 * blur(np.minimum(rock.caving * setting.washout, 1), 0.4 / step)
    power = rng.uniform(0.8, 1.03)

    def through(share: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        noise = 0.05 * _noise(rng, setting, n, 0.5) + 0.17 * texture(rng, n, 5 / step)
        return np.exp(mud + (power - share - 0.4 * loss) * np.maximum(flushed - mud, 0) + noise)

    gain = rng.lognormal(0, 0.35)
    return {"MINV": gain * through(0.3 * cake), "MNOR": through(0.15 * cake)}


def _porosities(
    rng: Generator, rock: Rock, setting: Setting, over: Float[ndarray, "n"]
) -> dict[str, Float[ndarray, "n"]]:
    """Density, neutron and photoelectric factor.

    over: caliper above bit size, in
    """
    n, step = len(rock.shale), setting.step_ft
    light = 1 - 0.35 * rock.gas * (1 - rock.water)
    shale = setting.shale_density + 0.065 * rock.kind[1] - 0.15 * (rock.lithology == BLACK)
    density = blur(_mixed(rock, _DENSITY, shale, light), 0.7 / step)
    rough = np.maximum(0, over - 0.8) + 2.5 * np.abs(over - blur(over, 2 / step))
    lost = np.minimum(0.9, 0.2 * rough * np.exp(0.5 * texture(rng, n, 1.0 / step)))
    cake = np.clip(-over, 0, 0.6)
    zero = rng.normal(0.018, 0.02)
    correction = zero + 0.25 * lost + 0.06 * cake + 0.005 * _noise(rng, setting, n, 0.8)
    peaks = np.exp(1.1 * texture(rng, n, 2.5 / step) + 0.8 * texture(rng, n, 15 / step))
    correction = correction + 0.009 * peaks
    electrons = (density + 0.188) / 1.07
    density = density - 0.8 * lost + 0.008 * _noise(rng, setting, n, 0.6)
    shale = (
        setting.shale_neutron
        - 0.02 * rock.kind[1]
        - 0.027 * rock.kind[0]
        + 0.05 * (rock.lithology == BLACK)
    )
    neutron = blur(_mixed(rock, _NEUTRON, shale, light - 0.25 * rock.gas), 0.9 / step)
    neutron = neutron + (0.004 + 0.02 * np.abs(neutron)) * _noise(rng, setting, n, 0.9)
    matrix = _FACTOR * (_DENSITY + 0.188) / 1.07
    section = _mixed(rock, matrix, 8.6 + 0.6 * rock.kind[1], 0.4 * light)
    factor = blur(section, 0.8 / step) / electrons * (1 - 0.4 * lost)
    factor = factor * (1 + 0.03 * _noise(rng, setting, n, 0.7))
    return {
        "RHOB": density,
        "NPHI": neutron + 0.02 * np.maximum(over, 0),
        "DPHI": (2.71 - density) / 1.71,
        "PE": factor,
        "DRHO": correction,
    }


def _sonic(
    rng: Generator, rock: Rock, setting: Setting, over: Float[ndarray, "n"]
) -> dict[str, Float[ndarray, "n"]]:
    """Time average of matrix, shale and fluid, with cycles skipped where the hole is bad."""
    n, step = len(rock.shale), setting.step_ft
    fluid = 189 + 30 * rock.gas * (1 - rock.water)
    shale = setting.shale_transit - 7 * rock.kind[2] + 8 * (rock.lithology == BLACK)
    transit = blur(_mixed(rock, _TRANSIT, shale, fluid), 1.0 / step)
    bad = step / 1500 * (1 + 8 * np.clip(over - 0.5, 0, 2) + 6 * rock.gas)
    skips = (rng.random(n) < bad) * rng.choice([-10.0, 18.0, 30.0, 45.0], n)
    transit = (
        transit * (1 + 0.02 * texture(rng, n, 20 / step))
        + blur(skips, 0.3 / step)
        + 0.5 * _noise(rng, setting, n, 0.7)
    )
    return {"DT": transit, "SPHI": (transit - 47.6) / (189 - 47.6)}


def _in_casing(
    rng: Generator, curves: Mapping[str, Float[ndarray, "n"]], setting: Setting, shoe: int
) -> None:
    """Change the first `shoe` samples to what tools read in steel: a constant caliper, fewer gamma
    rays, no potential, induction gone wild, shallow resistivity next to none."""
    if not shoe:
        return
    for name in ("CALI", "CALY"):
        curves[name][:shoe] = setting.bit + 1
    curves["GR"][:shoe] *= 0.6
    curves["SP"][:shoe] = curves["SP"][shoe:][:1]
    for name in ("ILD", "ILM"):
        mmho = np.abs(8 + 25 * texture(rng, shoe, 6 / setting.step_ft))
        curves[name][:shoe] = 1000 / np.maximum(mmho, 0.01)
    curves["COND"][:shoe] = 1000 / curves["ILD"][:shoe]
    curves["SFL"][:shoe] = 0.3 * np.exp(0.2 * texture(rng, shoe, 3 / setting.step_ft))


def _cut_ends(
    rng: Generator, curves: Mapping[str, Float[ndarray, "n"]], setting: Setting
) -> dict[str, Float[ndarray, "n"]]:
    """Leave out what was not logged: below, by the place of each tool in the string; above, by the
    depth at which each was switched off, which may be in casing.

    A share of wells has either end in the stretch; an end takes at most 15 % of it.
    """
    n, step = len(curves["GR"]), setting.step_ft
    cut, most = {name: values.copy() for name, values in curves.items()}, int(0.15 * n)
    bottom, top = rng.random() < 0.5, rng.random() < 0.4
    shoe = min(most, int(rng.uniform(0, 60) / step)) if top and rng.random() < 0.5 else 0
    _in_casing(rng, cut, setting, shoe)
    for group in _STRING:
        above = min(most, int(rng.exponential(25) / step)) if top else 0
        below = min(most, int(rng.uniform(0, 55) / step)) if bottom else 0
        if {*group} & _OPEN_HOLE:
            above = max(above, shoe)
        for name in group:
            cut[name][:above] = np.nan
            cut[name][n - below :] = np.nan
    return cut
