"""Iron and silicon: published limits, trends of the cell's own, and what dissolves."""

import numpy as np
import pytest

from models.base import Taken, View
from models.metal_quality import MetalQuality
from tests.models.views import START_US, blank, layout

DAY_US = 86_400_000_000
CELLS = layout(1)


def look(at_d: float, *samples: Taken) -> View:
    return blank(CELLS, START_US + round(at_d * DAY_US))._replace(samples=samples)


def at(at_d: float, signal: str, ppm: float, cell: int = 0) -> Taken:
    return Taken(cell, f"metal_{signal}_ppm", START_US + round(at_d * DAY_US), ppm)


def follow(
    detector: MetalQuality, iron_ppm: np.ndarray, silicon_ppm: np.ndarray, start_d: float = 0.0
) -> np.ndarray:
    """Scores after one sample of both a day."""
    scores: list[float] = []
    for day, (iron, silicon) in enumerate(zip(iron_ppm, silicon_ppm, strict=True)):
        now_d = start_d + day
        view = look(now_d + 0.3, at(now_d, "iron", float(iron)), at(now_d, "silicon", float(silicon)))
        scores.append(float(detector.update(view)[0].value[0, 0]))
    return np.array(scores)


def pad(inflow_ppm_d: np.ndarray, start_ppm: float, pad_d: float = 10.0) -> np.ndarray:
    """What a pad that is tapped a tenth a day holds at the end of each day."""
    level, levels = start_ppm, []
    for inflow in inflow_ppm_d:
        level += inflow - level / pad_d
        levels.append(level)
    return np.array(levels)


def noisy(level: np.ndarray, seed: int) -> np.ndarray:
    """Laboratory: 20 ppm."""
    return level + 20.0 * np.random.default_rng(seed).standard_normal(len(level))


def test_published_limits_row_25() -> None:
    # Physics reference 7.2: damage where iron keeps above 1 %, silicon above 0.2 %; sound up to 0.10 and 0.06 %.
    for iron, silicon, raised in (
        (1000, 600, False),
        (10_500, 600, True),
        (1000, 2_100, True),
        (9_500, 1_900, False),
    ):
        scores = follow(MetalQuality(CELLS), np.full(10, iron), np.full(10, silicon))
        assert np.isnan(scores[0])
        assert bool(scores[-1] >= 1.0) is raised, (iron, silicon)


def test_one_bad_sample_is_no_damage() -> None:
    detector = MetalQuality(CELLS)
    assert (
        follow(detector, np.full(20, 800.0), np.full(20, 300.0)).max(initial=0, where=np.arange(20) > 0) < 0.5
    )
    assert follow(detector, np.array([15_000.0]), np.array([300.0]), 20.0)[0] < 1.0
    assert follow(detector, np.array([800.0]), np.array([300.0]), 21.0)[0] < 1.0


def test_sound_cells_are_quiet_for_a_year() -> None:
    raised = 0
    for cell in range(20):
        walk = 1.0 + 0.1 * np.sin(np.arange(365) / 40.0 + cell)
        iron = noisy(pad(80.0 * walk, 800.0), cell)
        silicon = noisy(pad(35.0 * walk, 350.0), 1000 + cell)
        raised += int(np.nanmax(follow(MetalQuality(CELLS), iron, silicon)) >= 1.0)
    assert raised == 0


def test_silicon_of_the_lining_is_found_before_the_limit_of_damage() -> None:
    inflow = np.full(80, 40.0)
    inflow[40:] += 150.0
    silicon, iron = noisy(pad(inflow, 400.0), 1), noisy(np.full(80, 800.0), 2)
    detector = MetalQuality(CELLS)
    scores = follow(detector, iron, silicon)
    assert np.nanmax(scores[:40]) < 1.0
    day = int(np.argmax(scores >= 1.0))
    assert 40 <= day <= 43
    assert silicon[day] < 1_000.0
    found = detector.explain("bottom_loss", 0, 0)
    assert found.causes[0].cause == "lining_attack_side"
    assert found.evidence["silicon_usual_ppm"] == pytest.approx(400.0, abs=40.0)


def test_iron_alone_is_a_stub_until_it_is_1_percent() -> None:
    # Physics reference 5.4: a stub in the bath gives 100 to 500 ppm a day.
    inflow = np.full(60, 80.0)
    inflow[30:] += 300.0
    iron, silicon = noisy(pad(inflow, 800.0), 3), noisy(np.full(60, 350.0), 4)
    detector = MetalQuality(CELLS)
    scores = follow(detector, iron, silicon)
    assert scores[32:40].max() == 0.9
    assert np.nanmax(scores) < 1.0
    found = detector.explain("bottom_loss", 0, 0)
    assert found.causes[0].cause == "stub_attack"
    scores = follow(detector, np.full(3, 12_000.0), np.full(3, 350.0), 60.0)
    assert scores[-1] >= 1.0
    assert detector.explain("bottom_loss", 0, 0).causes[0].cause == "collector_bar_attack"


def test_both_together_are_the_bottom() -> None:
    inflow = np.zeros(60)
    inflow[30:] = 1.0
    iron = noisy(pad(80.0 + 400.0 * inflow, 800.0), 5)
    silicon = noisy(pad(35.0 + 100.0 * inflow, 350.0), 6)
    detector = MetalQuality(CELLS)
    scores = follow(detector, iron, silicon)
    assert np.nanmax(scores[:30]) < 1.0
    assert 30 <= int(np.argmax(scores >= 1.0)) <= 35
    assert detector.explain("bottom_loss", 0, 0).causes[0].cause == "lining_attack_bottom"


def test_samples_that_come_late_or_again_do_no_harm() -> None:
    detector = MetalQuality(CELLS)
    follow(detector, np.full(20, 800.0), np.full(20, 300.0))
    before = detector.update(look(20.0))[0].value
    # An old result, the newest once more, and no number.
    again = (at(3.0, "iron", 20_000.0), at(19.0, "iron", 20_000.0), at(19.5, "iron", float("nan")))
    after = detector.update(look(20.1, *again))[0].value
    assert after == before
    # Two days of results in one report are two samples.
    both = (at(20.0, "iron", 11_000.0), at(21.0, "iron", 11_000.0))
    assert detector.update(look(21.2, *both))[0].value[0, 0] >= 1.0


def test_nothing_is_judged_without_samples() -> None:
    detector = MetalQuality(CELLS)
    assert np.isnan(detector.update(look(0.0))[0].value).all()
    follow(detector, np.full(3, 800.0), np.full(3, 300.0))
    assert np.isfinite(detector.update(look(9.2))[0].value).all()
    assert np.isnan(detector.update(look(9.4))[0].value).all()
    # One metal is enough.
    only = MetalQuality(CELLS)
    only.update(look(0.0, at(0.0, "silicon", 2_500.0)))
    assert only.update(look(1.0, at(1.0, "silicon", 2_500.0)))[0].value[0, 0] >= 1.0
