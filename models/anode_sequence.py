"""What became of each anode, by a small recurrent network that has seen many anodes in trouble."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.anode_windows import FEATURES, AnodeWindows, Features
from models.base import CellLayout, FloatArray, View
from twin.jit import kernel

#: What an anode can be: sound, in the trouble of an alarm kind by contract, or wrongly measured. Order of the beliefs.
CLASSES: tuple[str, ...] = (
    "sound",
    "anode_change_unreported",
    "anode_change_missed",
    "anode_slow_pickup",
    "anode_set_low",
    "anode_set_high",
    "anode_slip",
    "anode_spike",
    "anode_burnoff",
    "anode_cracked",
    "anode_overload",
    "anode_contact",
    "sensor_fault",
)
#: Nothing seen of an anode for so long [s]: what was remembered of it is let go. The trainer cuts its sequences there.
FORGET_S = 21_600.0
#: Windows that an anode must have been seen for before a belief is given: the two own means have to settle.
WARM_WINDOWS = 24


class SequenceWeights(NamedTuple):
    """Weights of one layer of gated recurrent units and a softmax on top, float32.

    Attributes
    ----------
    from_input : (n_features, 3 n_hidden)
        Columns by gate: reset, update, new.
    from_hidden : (n_hidden, 3 n_hidden)
    bias_input, bias_hidden : (3 n_hidden,)
    to_class : (n_hidden, n_classes)
    bias_class : (n_classes,)
    """

    from_input: Features
    from_hidden: Features
    bias_input: Features
    bias_hidden: Features
    to_class: Features
    bias_class: Features

    def checked(self) -> "SequenceWeights":
        """The same in C order.

        Raises
        ------
        ValueError
            Shapes that do not fit each other, the features or the classes, or weights that are not finite.
        """
        n = self.from_hidden.shape[0]
        expected = (
            (len(FEATURES), 3 * n),
            (n, 3 * n),
            (3 * n,),
            (3 * n,),
            (n, len(CLASSES)),
            (len(CLASSES),),
        )
        for name, array, shape in zip(self._fields, self, expected, strict=True):
            if array.shape != shape:
                raise ValueError(f"weights {name} have shape {array.shape}, expected {shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"weights {name} are not all finite")
        return SequenceWeights._make(np.ascontiguousarray(array, dtype=np.float32) for array in self)


@kernel
def _step(
    x: Features,
    seen: NDArray[np.bool_],
    w: tuple[Features, Features, Features, Features, Features, Features],
    hidden: Features,
    beliefs: Features,
) -> None:
    # Plain loops in a fixed order: a library's product would differ in the last bit with the number of anodes.
    n_hidden, n_class = hidden.shape[1], beliefs.shape[1]
    for row in range(x.shape[0]):
        if not seen[row]:
            continue
        inward = w[2].copy()
        around = w[3].copy()
        for k in range(x.shape[1]):
            for g in range(3 * n_hidden):
                inward[g] += x[row, k] * w[0][k, g]
        for k in range(n_hidden):
            for g in range(3 * n_hidden):
                around[g] += hidden[row, k] * w[1][k, g]
        for k in range(n_hidden):
            reset = np.float32(1.0) / (np.float32(1.0) + np.exp(-(inward[k] + around[k])))
            keep = np.float32(1.0) / (
                np.float32(1.0) + np.exp(-(inward[n_hidden + k] + around[n_hidden + k]))
            )
            new = np.tanh(inward[2 * n_hidden + k] + reset * around[2 * n_hidden + k])
            hidden[row, k] = (np.float32(1.0) - keep) * new + keep * hidden[row, k]
        logits = w[5].copy()
        for k in range(n_hidden):
            for c in range(n_class):
                logits[c] += hidden[row, k] * w[4][k, c]
        top = logits.max()
        total = np.float32(0.0)
        for c in range(n_class):
            beliefs[row, c] = np.exp(logits[c] - top)
            total += beliefs[row, c]
        for c in range(n_class):
            beliefs[row, c] /= total


def advance(
    features: Features, seen: NDArray[np.bool_], weights: SequenceWeights, hidden: Features, beliefs: Features
) -> None:
    """One window of many anodes, in place.

    Parameters
    ----------
    features : (n, n_features)
    seen : (n,) bool
        Others stand still.
    weights
        Checked.
    hidden : (n, n_hidden)
        Memory; changed in place.
    beliefs : (n, n_classes)
        Probability of each of ``CLASSES``; changed in place.

    Notes
    -----
    Gated recurrent unit as PyTorch defines it: Cho et al., arXiv 1406.1078, with the reset gate after the product.
    """
    w = weights
    packed = (w.from_input, w.from_hidden, w.bias_input, w.bias_hidden, w.to_class, w.bias_class)
    _step(features, seen, packed, hidden, beliefs)


class AnodeSequence:
    """Streams views of any number of cells through the network, every anode by itself.

    Parameters
    ----------
    layout
        Instruments of the cells.
    weights
        As ``potline train`` wrote them.

    Raises
    ------
    ValueError
        Weights that do not fit.

    Notes
    -----
    Trained on simulated lines only. A belief is a ranking, not a frequency at a plant.
    """

    version = "anode_sequence/1"

    def __init__(self, layout: CellLayout, weights: SequenceWeights) -> None:
        self._windows = AnodeWindows(layout)
        self._weights = weights.checked()
        n_cells, n_anodes = layout.anode_side.shape
        self._hidden = np.zeros((n_cells * n_anodes, weights.from_hidden.shape[0]), dtype=np.float32)
        self._beliefs = np.full((n_cells, n_anodes, len(CLASSES)), np.nan, dtype=np.float32)
        self._steps = np.zeros((n_cells, n_anodes), dtype=np.int64)
        self._silent_s = np.zeros((n_cells, n_anodes))

    def update(self, view: View) -> FloatArray:
        """Take in one scan.

        Returns
        -------
        beliefs : (n_cells, n_anodes_max, len(CLASSES))
            Probability of each of ``CLASSES`` at the end of the newest window; NaN where too little was seen.
        """
        window = self._windows.update(view)
        self._silent_s += view.scan_s
        if window is not None:
            rows = self._hidden.shape[0]
            forgotten = self._silent_s > FORGET_S
            self._hidden[forgotten.ravel()] = 0.0
            self._steps[forgotten] = 0
            self._silent_s[window.seen] = 0.0
            self._steps[window.seen] += 1
            advance(
                window.features.reshape(rows, -1),
                window.seen.ravel(),
                self._weights,
                self._hidden,
                self._beliefs.reshape(rows, -1),
            )
        told = self._steps >= WARM_WINDOWS
        return np.where(told[:, :, None], self._beliefs, np.nan).astype(np.float64)
