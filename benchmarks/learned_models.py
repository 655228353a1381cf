"""Trajectories of the third-party cell model and networks that learn them, set up as its authors did.

``lundby.py`` is their model. Ranges, controllers, excitation, networks, penalty and optimiser are those of their
published code (``erlendlundby/Costa-aluminum``: ``simulator.py``, ``step_by_step.ipynb``, ``model_training.py``,
``alu_dataset.py``), written anew; their data and their networks are not to be had.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.lundby import N_INPUTS, N_STATES, Functions, equations, rk4

FloatArray = NDArray[np.float64]
Singles = NDArray[np.float32]
#: ``(states (..., 8), inputs (..., 5)) -> rates (..., 8)`` [unit of the state/s].
Rates = Callable[[FloatArray, FloatArray], FloatArray]

DT_S = 10.0
N_STEPS = 5000
CURRENT_A, ACD_m = 140e3, 0.05
#: Liquidus of the ablated model, the known error that the hybrid has to correct [degC].
ABLATED_LIQUIDUS_C = 968.0
LAYERS = (N_STATES + N_INPUTS, 20, 20, 20, 20, N_STATES)
EPOCHS, BATCH, LEARNING_RATE, L1 = 100, 128, 1e-3, 1e-4
_DECAY_1, _DECAY_2, _EPSILON = 0.9, 0.999, 1e-8

_NUMPY = Functions(np.exp, np.sqrt, np.power)
TRUE = equations(_NUMPY)
ABLATED = equations(_NUMPY, liquidus_C=ABLATED_LIQUIDUS_C)


def rates_in(model: Callable[..., tuple[FloatArray, ...]]) -> Rates:
    """The rates of ``lundby.Equations`` over arrays whose last axis is the state."""
    return lambda x, u: np.stack(model(*np.moveaxis(x, -1, 0), *np.moveaxis(u, -1, 0)), axis=-1)


def _controlled(x: FloatArray) -> FloatArray:
    """Feeds of alumina and AlF3 and tapping of the published controllers [kg/s], shape (3, n), for states (8, n)."""
    bath_kg = x[1] + x[2] + x[3]
    asked = (
        30_000.0 * (0.023 - x[1] / bath_kg),
        13_000.0 * (0.105 - x[2] / bath_kg),
        300.0 * (x[4] - 10_000.0),
    )
    bounds_kg = ((140.0, 220.0), (20.0, 80.0), (20.0, 90.0))
    return np.array(
        [
            np.where(rate < least / DT_S, 0.0, np.minimum(rate, most / DT_S))
            for rate, (least, most) in zip(asked, bounds_kg, strict=True)
        ]
    )


def initial_states(n: int, rng: np.random.Generator) -> FloatArray:
    """States drawn over the published ranges, whole numbers and whole per cents, shape (8, n)."""

    def drawn(low: int, high: int) -> FloatArray:
        return rng.integers(low, high + 1, n).astype(np.float64)

    alumina, alf3, cryolite_kg = drawn(2, 5) / 100.0, drawn(9, 13) / 100.0, drawn(11_500, 16_000)
    bath_kg = cryolite_kg / (1.0 - alumina - alf3)
    spans = ((2060, 4460), (9750, 10_000), (960, 990), (790, 850), (555, 610))
    ledge_kg, metal_kg, *temperatures_C = (drawn(*span) for span in spans)
    return np.array([ledge_kg, alumina * bath_kg, alf3 * bath_kg, cryolite_kg, metal_kg, *temperatures_C])


def _times(
    n_steps: int, first: tuple[int, int], then: tuple[int, int], rng: np.random.Generator
) -> list[int]:
    """Steps at which an excitation changes."""
    times = [int(rng.integers(first[0], first[1] + 1))]
    while times[-1] < n_steps:
        times.append(times[-1] + int(rng.integers(then[0], then[1] + 1)))
    return times[:-1]


def excitation(n: int, n_steps: int, rng: np.random.Generator) -> FloatArray:
    """What is added to alumina feed, current, AlF3 feed, tapping and distance, shape (n_steps, 5, n).

    Notes
    -----
    Current and distance jump and hold for 100 to 1100 steps; the feeds get single steps of 1 to 20 and 1 to 10 kg/s.
    """
    added = np.zeros((n_steps, N_INPUTS, n))
    for k in range(n):
        for at in _times(n_steps, (100, 1100), (100, 1100), rng):
            added[at:, 1, k] = rng.integers(-22_000, 15_001)
        for at in _times(n_steps, (100, 1100), (100, 1100), rng):
            added[at:, 4, k] = rng.integers(-70, 71) / 1e4
        for at in _times(n_steps, (100, 1100), (500, 2000), rng):
            added[at, 0, k] = rng.integers(100, 2001) / 100.0
        for at in _times(n_steps, (100, 1100), (1000, 3000), rng):
            added[at, 2, k] = rng.integers(100, 1001) / 100.0
    return added


def _run(x: FloatArray, added: FloatArray) -> FloatArray:
    """States and inputs of all steps, shape (n, n_steps, 13), from states (8, n)."""
    step = rk4(TRUE.rates, DT_S)
    kept = np.empty((x.shape[1], added.shape[0], N_STATES + N_INPUTS))
    for at in range(added.shape[0]):
        if at:
            x = np.array(step(x, kept[:, at - 1, N_STATES:].T))
        feeds = _controlled(x)
        u = added[at].copy()
        u[[0, 2, 3]] += feeds
        u[1] += CURRENT_A
        u[4] += ACD_m
        kept[:, at] = np.concatenate([x, u]).T
    return kept


def trajectories(n: int, seed: int, n_steps: int = N_STEPS) -> FloatArray:
    """Excited runs of the true model.

    Parameters
    ----------
    n
        Runs.
    seed
        Of initial states and excitation.
    n_steps
        Steps of 10 s.

    Returns
    -------
    numpy.ndarray
        Shape (n, n_steps, 13): states, then the inputs held until the next step.

    Raises
    ------
    ValueError
        Ten excitations in a row drive a run out of the model's range; the published code tries for ever.
    """
    rng = np.random.default_rng(seed)
    start = initial_states(n, rng)
    kept = np.empty((n, n_steps, N_STATES + N_INPUTS))
    lost = np.arange(n)
    for _ in range(10):
        with np.errstate(all="ignore"):
            kept[lost] = _run(start[:, lost], excitation(lost.size, n_steps, rng))
        (lost,) = np.nonzero(np.isnan(kept).any(axis=(1, 2)))
        if not lost.size:
            return kept
    raise ValueError(f"runs {lost.tolist()} of seed {seed} leave the model's range whatever excites them")


class Scaling(NamedTuple):
    """Means and standard deviations of training data: of states and inputs (13,), and of rates (8,)."""

    mean: FloatArray
    sd: FloatArray
    rate_mean: FloatArray
    rate_sd: FloatArray


def scaling(data: FloatArray) -> Scaling:
    """Scaling out of trajectories (n, n_steps, 13)."""
    flat, rates = data.reshape(-1, data.shape[-1]), slopes(data)
    return Scaling(flat.mean(axis=0), flat.std(axis=0, ddof=1), rates.mean(axis=0), rates.std(axis=0, ddof=1))


def slopes(data: FloatArray) -> FloatArray:
    """Differences of successive states over the step [unit/s], shape (n (n_steps - 1), 8)."""
    return np.diff(data[..., :N_STATES], axis=1).reshape(-1, N_STATES) / DT_S


class Networks(NamedTuple):
    """Networks of one kind, all in one vector, of which weights and biases are views.

    Attributes
    ----------
    vector
        Every parameter.
    weights, biases
        A layer each: (members, inputs, outputs) and (members, 1, outputs).
    """

    vector: Singles
    weights: tuple[Singles, ...]
    biases: tuple[Singles, ...]


def blank(members: int, layers: Sequence[int] = LAYERS) -> Networks:
    """Networks of zeros."""
    pairs = list(pairwise(layers))
    shapes = [(members, a, b) for a, b in pairs] + [(members, 1, b) for _, b in pairs]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    vector = np.zeros(ends[-1], dtype=np.float32)
    parts = np.split(vector, ends[:-1])
    views = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    return Networks(vector, tuple(views[: len(pairs)]), tuple(views[len(pairs) :]))


def started(members: int, rng: np.random.Generator) -> Networks:
    """Networks before training: normal weights of variance 2 over inputs (He), biases zero."""
    networks = blank(members)
    for weight in networks.weights:
        weight[:] = rng.normal(0.0, np.sqrt(2.0 / weight.shape[1]), weight.shape)
    return networks


def answers(networks: Networks, inputs: Singles) -> list[Singles]:
    """What each layer passes on, last the output (members, rows, 8), for scaled inputs (rows, 13) or one each."""
    passed = [inputs]
    last = len(networks.weights) - 1
    for at, (weight, bias) in enumerate(zip(networks.weights, networks.biases, strict=True)):
        out = passed[-1] @ weight
        out += bias
        passed.append(out if at == last else np.maximum(out, 0.0, out=out))
    return passed


def descend(networks: Networks, into: Networks, inputs: Singles, targets: Singles) -> None:
    """Gradient of each network's mean squared error over a batch, by back-propagation, written into ``into``."""
    passed = answers(networks, inputs)
    error = (passed.pop() - targets) * np.float32(2.0 / targets.size)
    for at in range(len(networks.weights) - 1, -1, -1):
        np.matmul(np.swapaxes(passed[at], -1, -2), error, out=into.weights[at])
        np.sum(error, axis=1, keepdims=True, out=into.biases[at])
        if at:
            error = error @ np.swapaxes(networks.weights[at], -1, -2)
            error *= passed[at] > 0.0


def train(
    networks: Networks,
    inputs: Singles,
    targets: Singles,
    l1: float,
    rng: np.random.Generator,
    epochs: int = EPOCHS,
) -> None:
    """Train networks in place by Adam on the same batches, rows in a new order every epoch.

    Parameters
    ----------
    networks
        All of one kind.
    inputs, targets
        Scaled, shapes (rows, 13) and (rows, 8).
    l1
        Weight of the sum of absolute weights in the loss; biases are free. 0 is the dense network.
    rng
        Of the order of rows.
    epochs
        Passes over the rows.
    """
    vector = networks.vector
    members = networks.weights[0].shape[0]
    gradient = blank(members)
    n_weights = sum(weight.size for weight in networks.weights)
    first, second = np.zeros_like(vector), np.zeros_like(vector)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(inputs.shape[0])
        x, y = inputs[order], targets[order]
        for at in range(0, x.shape[0], BATCH):
            step += 1
            descend(networks, gradient, x[at : at + BATCH], y[at : at + BATCH])
            slope = gradient.vector
            if l1 > 0.0:
                slope[:n_weights] += np.float32(l1) * np.sign(vector[:n_weights])
            first += np.float32(1.0 - _DECAY_1) * (slope - first)
            second += np.float32(1.0 - _DECAY_2) * (slope * slope - second)
            size = LEARNING_RATE * np.sqrt(1.0 - _DECAY_2**step) / (1.0 - _DECAY_1**step)
            # Epsilon belongs to the corrected root, so it shrinks with the correction.
            scale = np.float32(_EPSILON * np.sqrt(1.0 - _DECAY_2**step))
            vector -= np.float32(size) * first / (np.sqrt(second) + scale)


def learned(networks: Networks, scale: Scaling, physics: Rates | None) -> Rates:
    """Rates by networks, for states (members, n, 8) and inputs (n, 5).

    Parameters
    ----------
    networks
        Trained on ``learning_set`` with the same physics.
    scale
        Of the training data.
    physics
        What the networks correct (hybrid, "CoSTA"); None: they give the whole rate ("DDM").
    """

    def rates(x: FloatArray, u: FloatArray) -> FloatArray:
        held = np.broadcast_to(u, (*x.shape[:-1], N_INPUTS))
        scaled = (np.concatenate([x, held], axis=-1) - scale.mean) / scale.sd
        said = answers(networks, scaled.astype(np.float32))[-1] * scale.rate_sd
        return said + (scale.rate_mean if physics is None else physics(x, held))

    return rates


def learning_set(data: FloatArray, scale: Scaling, physics: Rates | None) -> tuple[Singles, Singles]:
    """Scaled inputs and targets out of trajectories; with physics, the target is what it leaves."""
    rows = data[:, :-1].reshape(-1, data.shape[-1])
    offset = scale.rate_mean if physics is None else physics(rows[:, :N_STATES], rows[:, N_STATES:])
    inputs = (rows - scale.mean) / scale.sd
    return inputs.astype(np.float32), ((slopes(data) - offset) / scale.rate_sd).astype(np.float32)
