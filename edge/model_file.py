"""The file of trained models: what ``potline train`` writes and the gateway loads, with its own hash inside."""

import hashlib
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct, msgpack

from edge.config import Config, ConfigError
from models.anode_sequence import CLASSES, SequenceWeights
from models.anode_windows import FEATURES
from models.cause_rank import CauseModel
from models.drift import EDGES
from models.panel import Learned

#: Changes when a file of before could no longer be read.
FORMAT = 1
SHIPPED = "shipped/potline.models"


class Limit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limit of one kind and what it rests on.

    Attributes
    ----------
    factor
        The score is divided by this.
    budget
        False alarms allowed per cell-day.
    cell_days, above
        Clear cell-days seen, and how many of them would have had an alarm at the limit of physics.
    basis
        ``physics`` (nothing seen asks for a change), ``ranks`` (a quantile of the cell-days seen), ``tail`` (a fit
        beyond them), ``highest`` (above all of them, which a fit would not have asked for), ``fixed`` (never changed),
        ``beyond`` (the budget is not reached at the largest factor allowed).
    """

    factor: float
    budget: float
    cell_days: float
    above: int
    basis: str


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of the network, float32 in C order, and the names that they were trained for."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    shapes: list[tuple[int, ...]]
    data: list[bytes]


class Causes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A law of ``models.cause_rank`` as it stands in the file: names, and its numbers as float64 in C order."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    used: tuple[str, ...]
    mean: bytes
    scale: bytes
    coefficient: bytes
    constant: bytes


class CauseScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How causes of one alarm kind were put in order on training lines that were left out in turn.

    Attributes
    ----------
    alarms
        Those with their true cause among the causes offered, and another beside it.
    first_by_rules, first_by_law
        How often the true one stood first.
    loss_by_rules, loss_by_law
        Mean logarithmic loss of the true one's share.
    stated_by_law
        Mean share that the law gives to the first one: of a calibrated law it is that of the times when it is true.
    used
        Whether the law beats the rules, and orders the causes of this kind.
    """

    alarms: int
    first_by_rules: int
    first_by_law: int
    loss_by_rules: float
    loss_by_law: float
    stated_by_law: float
    used: bool


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was learned.

    Attributes
    ----------
    limits
        By alarm kind.
    edges, reference
        Bins of a score, and the share of cell-hours in each by kind.
    sequence
        None where no network was trained.
    use_sequence
        Whether it names kinds; a network that does not beat the rules on lines it has not seen stays off.
    trained_on
        One line of text for each history.
    causes
        By detector: order of the causes of its alarms.
    cause_scores
        By alarm kind.
    """

    limits: dict[str, Limit]
    edges: tuple[float, ...]
    reference: dict[str, tuple[float, ...]]
    sequence: Weights | None
    use_sequence: bool
    trained_on: tuple[str, ...]
    causes: dict[str, Causes] = {}
    cause_scores: dict[str, CauseScore] = {}


class _Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file."""

    format: int
    sha256: str
    body: bytes


class ModelFileError(ConfigError):
    """A file of models that cannot be used; the message says why and what to do."""


def dump(body: Body) -> bytes:
    """The file's bytes; the same body gives the same bytes."""
    packed = msgpack.encode(body)
    return msgpack.encode(_Envelope(format=FORMAT, sha256=hashlib.sha256(packed).hexdigest(), body=packed))


def load(data: bytes, name: str) -> Body:
    """Read a file's bytes.

    Parameters
    ----------
    data
        The whole file.
    name
        Of the file, for messages.

    Raises
    ------
    ModelFileError
        No such file, another format, a hash that does not fit, or a content that this version does not know.
    """
    again = "train it anew with `potline train`, or leave the key `models` out for the shipped one"
    try:
        envelope = msgpack.decode(data, type=_Envelope)
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{name}: is no file of potline's models ({error}); {again}") from error
    if envelope.format != FORMAT:
        raise ModelFileError(
            f"{name}: is of format {envelope.format}, this potline reads format {FORMAT}; {again}"
        )
    if hashlib.sha256(envelope.body).hexdigest() != envelope.sha256:
        raise ModelFileError(f"{name}: its content does not fit the SHA-256 that it names: damaged; {again}")
    try:
        body = msgpack.decode(envelope.body, type=Body)
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{name}: {error}; {again}") from error
    if body.edges != EDGES:
        raise ModelFileError(f"{name}: was made for other bins of scores; {again}")
    weights_of(body, name)
    causes_of(body, name)
    return body


def weights_of(body: Body, name: str) -> SequenceWeights | None:
    """Weights of the network, checked, or None.

    Parameters
    ----------
    body
        As loaded.
    name
        Of the file, for messages.

    Raises
    ------
    ModelFileError
        Weights that do not fit this version's features or classes.
    """
    packed = body.sequence
    if packed is None:
        return None
    if packed.features != FEATURES or packed.classes != CLASSES:
        raise ModelFileError(f"{name}: its network was trained for other figures or other kinds of alarm")
    try:
        arrays = [
            np.frombuffer(data, dtype="<f4").reshape(shape)
            for data, shape in zip(packed.data, packed.shapes, strict=True)
        ]
        return SequenceWeights(*arrays).checked()
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{name}: {error}") from error


def causes_of(body: Body, name: str) -> dict[str, CauseModel]:
    """Laws that order causes, by detector, checked.

    Parameters
    ----------
    body
        As loaded.
    name
        Of the file, for messages.

    Raises
    ------
    ModelFileError
        Numbers that do not fit their names.
    """
    found: dict[str, CauseModel] = {}
    for detector, law in body.causes.items():
        try:
            mean, scale, coefficient, constant = (
                np.frombuffer(data, dtype="<f8")
                for data in (law.mean, law.scale, law.coefficient, law.constant)
            )
            table = coefficient.reshape(len(law.classes), -1)
            model = CauseModel(law.features, mean, scale, law.classes, table, constant, law.used)
            found[detector] = model.checked()
        except ValueError as error:
            raise ModelFileError(f"{name}: causes of {detector}: {error}") from error
    return found


def pack_causes(model: CauseModel) -> Causes:
    """A law as it stands in the file."""
    arrays = (model.mean, model.scale, model.coefficient, model.constant)
    mean, scale, coefficient, constant = (np.ascontiguousarray(a, dtype="<f8").tobytes() for a in arrays)
    return Causes(
        features=model.features,
        classes=model.classes,
        used=model.used,
        mean=mean,
        scale=scale,
        coefficient=coefficient,
        constant=constant,
    )


def pack(weights: SequenceWeights) -> Weights:
    """Weights as they stand in the file."""
    return Weights(
        features=FEATURES,
        classes=CLASSES,
        shapes=[array.shape for array in weights],
        data=[np.ascontiguousarray(array, dtype="<f4").tobytes() for array in weights],
    )


def read(path: str) -> bytes:
    """Bytes of the file that a configuration names, or of the shipped one for an empty path.

    Raises
    ------
    ModelFileError
        It cannot be read.
    """
    try:
        return Path(path).read_bytes() if path else files("models").joinpath(SHIPPED).read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"{path or SHIPPED}: cannot be read ({error.strerror}); it is the key `models` of potline.toml"
        ) from error


def learned(config: Config) -> Learned:
    """What the configured file holds, as the detectors take it.

    Raises
    ------
    ModelFileError
        As `read` and `load`.
    """
    name = config.models or SHIPPED
    body = load(read(config.models), name)
    factors = {kind: limit.factor for kind, limit in body.limits.items()}
    weights = weights_of(body, name) if body.use_sequence else None
    return Learned(factors, body.reference, weights, causes_of(body, name))


def file_hash(config: Config) -> str:
    """SHA-256 of the configured file, hexadecimal; raises `ModelFileError` where it cannot be read."""
    return hashlib.sha256(read(config.models)).hexdigest()
