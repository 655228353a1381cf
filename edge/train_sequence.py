"""Fits the network of ``models.anode_sequence`` with PyTorch, which only training needs."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.anode_sequence import CLASSES, FORGET_S, SequenceWeights
from models.anode_windows import FEATURES, WindowLimits

#: PyTorch is not there where types are checked.
_Torch: TypeAlias = Any
#: Target of a step that teaches nothing: a fault that does not show yet, or one that is just over.
IGNORE = -1
#: What a plant may not have, dropped from some sequences so that the network does not lean on it: no reported change,
#: no twin, no neighbours' positions, no whole set of anodes.
_GROUPS: tuple[tuple[str, ...], ...] = (
    ("age_log", "age_known"),
    ("expected_less_mean", "share_less_expected_in_sd"),
    ("voltage_residual", "superheat"),
    ("neighbours_less_own_day",),
    ("current_balance",),
)
_NOISES = tuple(FEATURES.index(name) for name in ("noise_log", "spread_log"))


class Lesson(NamedTuple):
    """Windows of one line with what was true.

    Attributes
    ----------
    features : (n_windows, n_cells, n_anodes, n_features) float32
    seen : (n_windows, n_cells, n_anodes) bool
    target : (n_windows, n_cells, n_anodes) int8
        Index into ``CLASSES``, or `IGNORE`.
    """

    features: NDArray[np.float32]
    seen: NDArray[np.bool_]
    target: NDArray[np.int8]


class Recipe(NamedTuple):
    """How the network is trained; none of it was searched for on lines that are scored.

    Attributes
    ----------
    n_hidden
        Memory of an anode.
    epochs, batch, chunk
        Passes over all sequences, sequences at a time, and windows between two steps of the optimiser (eight hours).
    rate
        Of Adam, falling to a tenth over the epochs.
    dropped, jitter, gain_log
        Share of sequences that lose a group of figures; spread of the noise added to each figure; spread of a
        sequence's own shift of the logarithms of noise: other lines, other instruments.
    seed
        Decides every draw.
    """

    n_hidden: int = 32
    epochs: int = 10
    batch: int = 24
    chunk: int = 96
    rate: float = 4e-3
    dropped: float = 0.15
    jitter: float = 0.05
    gain_log: float = 0.25
    seed: int = 1


def sequences(lessons: Sequence[Lesson]) -> list[tuple[NDArray[np.float32], NDArray[np.int8]]]:
    """Figures and targets of each anode by itself, unseen windows left out, cut where the memory is let go.

    Parameters
    ----------
    lessons
        One for each line.
    """
    longest = round(FORGET_S / WindowLimits().length_s)
    found: list[tuple[NDArray[np.float32], NDArray[np.int8]]] = []
    for lesson in lessons:
        for cell in range(lesson.seen.shape[1]):
            for anode in range(lesson.seen.shape[2]):
                kept = np.flatnonzero(lesson.seen[:, cell, anode])
                for part in np.split(kept, np.flatnonzero(np.diff(kept) > longest) + 1):
                    if len(part) > 1:
                        found.append((lesson.features[part, cell, anode], lesson.target[part, cell, anode]))
    return found


def fit(
    lessons: Sequence[Lesson], recipe: Recipe | None = None, tell: Callable[[str], None] = lambda text: None
) -> SequenceWeights:
    """Train from scratch; the same lessons give the same bits on one machine.

    Parameters
    ----------
    lessons
        One for each line.
    recipe
        See `Recipe`.
    tell
        Gets a line an epoch.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    ValueError
        No sequence holds both sound and unsound windows to learn from.
    """
    recipe = Recipe() if recipe is None else recipe
    torch: _Torch = importlib.import_module("torch")
    torch.manual_seed(recipe.seed)
    # One thread: sums in one order, the same bits every time.
    torch.set_num_threads(1)
    data = sequences(lessons)
    counts = np.zeros(len(CLASSES))
    for _, target in data:
        counts += np.bincount(target[target >= 0], minlength=len(CLASSES))
    if counts[0] == 0 or counts[1:].sum() == 0:
        raise ValueError("the histories hold no sound or no unsound anode to learn from")
    # The root of the frequency: rare kinds count more, and beliefs are still led by how common things are.
    weight = np.where(counts > 0, np.sqrt(counts[0] / np.maximum(counts, 1.0)), 0.0).clip(0.0, 30.0)
    gru = torch.nn.GRU(len(FEATURES), recipe.n_hidden, batch_first=True)
    head = torch.nn.Linear(recipe.n_hidden, len(CLASSES))
    parameters = [*gru.parameters(), *head.parameters()]
    adam = torch.optim.Adam(parameters, lr=recipe.rate, weight_decay=1e-5)
    falling = torch.optim.lr_scheduler.ExponentialLR(adam, 0.1 ** (1.0 / max(recipe.epochs - 1, 1)))
    judged = torch.nn.CrossEntropyLoss(
        torch.tensor(weight, dtype=torch.float32), ignore_index=IGNORE, reduction="sum"
    )
    draw = torch.Generator().manual_seed(recipe.seed + 1)
    # Alike lengths together; the order of the batches is drawn anew in every epoch.
    by_length = sorted(range(len(data)), key=lambda k: len(data[k][1]))
    batches = [by_length[k : k + recipe.batch] for k in range(0, len(by_length), recipe.batch)]
    for epoch in range(recipe.epochs):
        total, steps = 0.0, 0.0
        for number in torch.randperm(len(batches), generator=draw).tolist():
            x, target = _padded(torch, [data[k] for k in batches[number]], recipe, draw)
            hidden = None
            for first in range(0, x.shape[1], recipe.chunk):
                y = target[:, first : first + recipe.chunk]
                out, hidden = gru(x[:, first : first + recipe.chunk], hidden)
                hidden = hidden.detach()
                counted = float((y != IGNORE).sum())
                if counted == 0.0:
                    continue
                loss = judged(head(out).flatten(0, 1), y.flatten()) / counted
                adam.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                adam.step()
                total += float(loss.detach()) * counted
                steps += counted
        falling.step()
        tell(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / max(steps, 1.0):.4f}")
    return _exported(gru, head)


def _padded(
    torch: _Torch, picked: Sequence[tuple[Any, Any]], recipe: Recipe, draw: _Torch
) -> tuple[_Torch, _Torch]:
    """Sequences of one batch side by side, as other lines and other instruments would show them."""
    longest = max(len(target) for _, target in picked)
    x = torch.zeros((len(picked), longest, len(FEATURES)))
    y = torch.full((len(picked), longest), IGNORE, dtype=torch.int64)
    for row, (features, target) in enumerate(picked):
        x[row, : len(target)] = torch.from_numpy(features)
        y[row, : len(target)] = torch.from_numpy(target.astype(np.int64))
    x += recipe.jitter * torch.randn(x.shape, generator=draw)
    for column in _NOISES:
        x[:, :, column] += recipe.gain_log * torch.randn((len(picked), 1), generator=draw)
    for group in _GROUPS:
        gone = torch.rand(len(picked), generator=draw) < recipe.dropped
        for name in group:
            x[gone, :, FEATURES.index(name)] = 0.0
    return x, y


def _exported(gru: _Torch, head: _Torch) -> SequenceWeights:
    """The layers as `SequenceWeights`; PyTorch keeps its matrices the other way round."""
    return SequenceWeights(
        gru.weight_ih_l0.detach().numpy().T.copy(),
        gru.weight_hh_l0.detach().numpy().T.copy(),
        gru.bias_ih_l0.detach().numpy().copy(),
        gru.bias_hh_l0.detach().numpy().copy(),
        head.weight.detach().numpy().T.copy(),
        head.bias.detach().numpy().copy(),
    ).checked()
