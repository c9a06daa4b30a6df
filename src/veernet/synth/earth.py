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

# shale (not used: it has a point of its own), black, sand, lime, dolomite, anhydrite, salt, coal
_DENSITY = np.array([2.65, 2.65, 2.65, 2.71, 2.86, 2.97, 2.04, 1.35])
_NEUTRON = np.array([0.0, 0.0, -0.03, 0.0, 0.035, -0.01, -0.02, 0.45])
_TRANSIT = np.array([54.0, 54.0, 54.0, 47.6, 43.5, 50.0, 67.0, 115.0])
_FACTOR = np.array([2.2, 2.2, 1.81, 5.08, 3.14, 5.05, 4.65, 0.2])
_GAMMA = np.array([0.2, 0.2, 0.05, 0.0, 0.02, -0.05, -0.1, 0.2])
"""Gamma rays of a matrix, above clean rock, in those of shale."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is one over a well: its waters, mud, shale and tools."""

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
    """Of all tools, in their usual noise."""


def draw_setting(rng: Generator, step_ft: float) -> Setting:
    """Draw what is one over a well."""
    clean = rng.uniform(10, 30)
    water = np.exp(rng.normal(np.log(0.06), 0.6))
    fresh = rng.random() < 0.88
    ratio = np.exp(rng.normal(np.log(6), 0.5)) if fresh else rng.uniform(0.4, 1.2)
    return Setting(
        step_ft=step_ft,
        clean_gr=clean,
        shale_gr=clean + rng.uniform(62, 102),
        shale_density=rng.normal(2.53, 0.05),
        shale_neutron=rng.normal(0.335, 0.035),
        shale_transit=rng.normal(108, 9),
        shale_ohm=np.exp(rng.normal(np.log(4.0), 0.35)),
        anisotropy=np.exp(rng.normal(0.25, 0.2)),
        water_ohm=water,
        filtrate_ohm=water * ratio,
        cementation=rng.uniform(1.85, 2.15),
        bit=float(rng.choice([7.875, 7.875, 7.875, 8.5, 8.75, 6.25, 12.25])),
        washout=np.exp(rng.normal(np.log(0.7), 0.7)),
        cake=rng.uniform(0, 0.5),
        noise=np.exp(rng.normal(0, 0.3)),
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
    level = rock.shale * (1 + 0.14 * rock.kind[0]) + rock.heat + _GAMMA[rock.lithology]
    counted = setting.clean_gr + span * blur(level, 0.7 / setting.step_ft)
    counted = np.maximum(counted, 3)
    noise = _noise(rng, setting, len(counted), 0.8)
    return np.abs(counted + 0.3 * np.sqrt(counted) * noise)


def _potential(rng: Generator, rock: Rock, setting: Setting) -> Float[ndarray, "n"]:
    """Static SP of clean permeable rock, smeared by the borehole, on a base line that drifts."""
    static = -72 * np.log10(setting.filtrate_ohm / setting.water_ohm)
    n, step = len(rock.shale), setting.step_ft
    open_ = (1 - rock.shale) * np.clip(0.5 + 4 * rock.pores + 0.2 * rock.kind[3], 0, 1.2)
    sp = static * blur(open_, rng.uniform(3, 7) / step)
    drift = rng.normal(0, 0.012) * step * np.arange(n) + rng.uniform(4, 20) * texture(
        rng, n, rng.uniform(30, 150) / step
    )
    return sp + drift + 0.25 * _noise(rng, setting, n, 1.0) + rng.uniform(-60, 0)


def _caliper(rng: Generator, rock: Rock, setting: Setting) -> dict[str, Float[ndarray, "n"]]:
    """Bit size, washed out where the rock caves, narrowed by mud cake where it lets water pass."""
    n, step = len(rock.shale), setting.step_ft
    caved, cake = blur(rock.caving, 0.8 / step), blur(rock.invasion, 0.8 / step)
    gauge = setting.bit + rng.normal(0.05, 0.12)
    oval, turned = rng.uniform(0, 0.4), rng.uniform(0.3, 1.1)
    slow = rng.uniform(0.1, 0.35) * texture(rng, n, 40 / step)
    hole = gauge + slow + setting.washout * caved - setting.cake * cake
    other = gauge + turned * (hole - gauge) + oval * texture(rng, n, 15 / step)
    fine = 0.02 * _noise(rng, setting, n, 0.6)
    other = other + rng.normal(0, 0.12) + 0.02 * _noise(rng, setting, n, 0.6)
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
    n, step = len(rock.shale), setting.step_ft
    porosity = np.clip(rock.pores * (1 - rock.shale), 0.004, None)
    formation = porosity**-setting.cementation
    tight = np.where(rock.lithology == COAL, 0.02, 1.0)
    of_shale = rock.shale**1.4 / (
        setting.shale_ohm * np.exp(0.25 * rock.kind[3] + 1.1 * (rock.lithology == BLACK))
    )
    virgin = tight * rock.water**2 * np.exp(0.25 * rock.kind[3]) / (formation * setting.water_ohm) + of_shale + 3e-4
    flushed = rock.water**0.4 / (formation * setting.filtrate_ohm) + of_shale / setting.anisotropy
    flushed = tight * flushed + 3e-4
    deep_share, medium_share = 0.25 * rock.invasion**2, 0.02 + 0.6 * rock.invasion
    boost, gain = rng.uniform(0, 0.2), np.exp(rng.normal(0, 0.02, 4))

    def induction(share: Float[ndarray, "n"], ft: float, k: int) -> Float[ndarray, "n"]:
        signal = share * flushed + (1 - share) * virgin
        sharp, wide = blur(signal, ft / step), blur(signal, 2.5 * ft / step)
        mmho = 1000 * gain[k] * np.maximum((1 + boost) * sharp - boost * wide, 0.3 * sharp)
        sonde = rng.normal(0, 0.6)
        return mmho * (1 + 0.01 * _noise(rng, setting, n, 2.0)) + sonde

    deep, medium = induction(deep_share, 2.4, 0), induction(medium_share, 1.6, 1)
    reach = np.clip(0.5 + rock.invasion, 0, 1)
    apart = 0.35 * (texture(rng, n, 4 / step) + texture(rng, n, 15 / step))
    series = apart + blur(-np.log(reach * flushed + (1 - reach) * virgin), 0.9 / step)
    shallow = gain[2] * np.exp(series + 0.015 * _noise(rng, setting, n, 0.8))
    near = blur(-np.log(flushed), 0.35 / step)
    rxo = gain[3] * np.exp(near + 0.04 * _noise(rng, setting, n, 0.4))
    return {
        "ILD": 1000 / np.maximum(deep, 0.01),
        "ILM": 1000 / np.maximum(medium, 0.01),
        "SFL": shallow,
        "RXO": rxo,
        "COND": deep,
        **_micrologs(rng, rock, setting, near),
    }


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
    power = rng.uniform(0.95, 1.2)

    def through(share: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        noise = 0.05 * _noise(rng, setting, n, 0.5) + 0.15 * texture(rng, n, 6 / step)
        return np.exp(mud + (power - share - 0.4 * loss) * np.maximum(flushed - mud, 0) + noise)

    return {"MINV": through(0.3 * cake), "MNOR": through(0.15 * cake)}


def _porosities(
    rng: Generator, rock: Rock, setting: Setting, over: Float[ndarray, "n"]
) -> dict[str, Float[ndarray, "n"]]:
    """Density, neutron and photoelectric factor.

    over: caliper above bit size, in
    """
    n, step = len(rock.shale), setting.step_ft
    light = 1 - 0.35 * rock.gas * (1 - rock.water)
    shale = setting.shale_density + 0.045 * rock.kind[1] - 0.15 * (rock.lithology == BLACK)
    density = blur(_mixed(rock, _DENSITY, shale, light), 0.7 / step)
    rough = np.maximum(0, over - 0.8) + 2.5 * np.abs(over - blur(over, 2 / step))
    lost = np.minimum(0.7, 0.13 * rough * np.exp(0.5 * texture(rng, n, 1.0 / step)))
    cake = np.clip(-over, 0, 0.6)
    zero = rng.normal(0.03, 0.02)
    correction = zero + 0.8 * lost + 0.06 * cake + 0.008 * _noise(rng, setting, n, 0.8)
    correction = correction + 0.045 * texture(rng, n, 6 / step)
    density = density - 0.7 * lost + 0.008 * _noise(rng, setting, n, 0.6)
    shale = setting.shale_neutron - 0.03 * rock.kind[1] + 0.02 * rock.kind[0] + 0.05 * (rock.lithology == BLACK)
    neutron = blur(_mixed(rock, _NEUTRON, shale, light - 0.25 * rock.gas), 0.9 / step)
    neutron = neutron + (0.004 + 0.02 * np.abs(neutron)) * _noise(rng, setting, n, 0.9)
    electrons = (np.where(_DENSITY > 0, _DENSITY, 1) + 0.188) / 1.07
    section = _mixed(rock, _FACTOR * electrons, 3.3 * (shale * 0 + 2.53), 0.4 * light)
    factor = blur(section, 0.8 / step) / ((density + 0.188) / 1.07)
    factor = factor * (1 + 0.025 * _noise(rng, setting, n, 0.7))
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
    shale = setting.shale_transit - 7 * rock.kind[2] - 3 * rock.kind[1] + 8 * (rock.lithology == BLACK)
    transit = blur(_mixed(rock, _TRANSIT, shale, fluid), 1.0 / step)
    bad = step / 1500 * (1 + 8 * np.clip(over - 0.5, 0, 2) + 6 * rock.gas)
    skips = (rng.random(n) < bad) * rng.choice([-10.0, 18.0, 30.0, 45.0], n)
    transit = transit + blur(skips, 0.3 / step) + 0.5 * _noise(rng, setting, n, 0.7)
    return {"DT": transit, "SPHI": (transit - 47.6) / (189 - 47.6)}


def _cut_ends(
    rng: Generator, curves: Mapping[str, Float[ndarray, "n"]], setting: Setting
) -> dict[str, Float[ndarray, "n"]]:
    """Leave out what tools did not log: below, by the place of each in the string; above, by the
    depth at which each was switched off."""
    return dict(curves)
