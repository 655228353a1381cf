"""Which kind of trouble an anode is in, when physics says that it is in trouble and a network has an opinion."""

from collections.abc import Sequence

import numpy as np

from models.anode_sequence import CLASSES
from models.base import CellLayout, FloatArray, Scores

#: The network must believe so much in another kind, and so little in the one that physics names, to be followed.
SURE, DOUBTED = 0.6, 0.15
#: Below this score of every kind an anode's story is over and the next one is judged afresh.
OVER = 0.8


class KindRanker:
    """Moves the score of an anode's alarm to the kind that the network is sure of; raises and clears nothing itself.

    The choice is made when the first kind of the anode reaches its limit and stands until all are well below it, so
    that one story stays one alarm.

    Parameters
    ----------
    layout
        Instruments of the cells.
    """

    def __init__(self, layout: CellLayout) -> None:
        shape = layout.anode_side.shape
        #: Class that the anode's alarm was given to, and the one that it was taken from; -1 where none.
        self._to = np.full(shape, -1, dtype=np.int64)
        self._from = np.full(shape, -1, dtype=np.int64)
        self._judged = np.zeros(shape, dtype=np.bool_)

    def update(self, scores: Sequence[Scores], beliefs: FloatArray) -> list[Scores]:
        """Scores in the same order, those of anode kinds perhaps exchanged.

        Parameters
        ----------
        scores
            Of one scan, against the limits that count.
        beliefs : (n_cells, n_anodes_max, len(CLASSES))
            Of ``models.anode_sequence``; NaN where it has none.
        """
        ours = {
            s.kind: n
            for n, s in enumerate(scores)
            if s.slot == "anode" and s.kind in CLASSES and s.value.shape == self._to.shape
        }
        if not ours:
            return list(scores)
        classes = np.array([CLASSES.index(kind) for kind in ours])
        values = np.stack([scores[n].value for n in ours.values()])
        known = np.where(np.isfinite(values), values, -1.0)
        top = known.max(axis=0)
        over = top < OVER
        self._to[over] = self._from[over] = -1
        self._judged[over] = False
        begins = (top >= 1.0) & ~self._judged
        if begins.any():
            of_kinds = np.moveaxis(beliefs[:, :, classes], -1, 0)
            usable = begins & np.isfinite(of_kinds).all(axis=0)
            named, best = known.argmax(axis=0), np.where(np.isfinite(of_kinds), of_kinds, -1.0).argmax(axis=0)
            belief_best = np.take_along_axis(of_kinds, best[None], axis=0)[0]
            belief_named = np.take_along_axis(of_kinds, named[None], axis=0)[0]
            follow = usable & (named != best) & (belief_best >= SURE) & (belief_named <= DOUBTED)
            self._to[follow], self._from[follow] = classes[best][follow], classes[named][follow]
            self._judged |= begins
        if not (self._to >= 0).any():
            return list(scores)
        given = list(scores)
        for kind, n in ours.items():
            index = CLASSES.index(kind)
            value = np.where(self._to == index, top, scores[n].value)
            # What was taken away stays below the level at which an alarm ends.
            lowered = np.minimum(value, OVER - 0.01)
            given[n] = scores[n]._replace(value=np.where(self._from == index, lowered, value))
        return given
