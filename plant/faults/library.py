"""The fault library: every kind that stands in ``plant/faults/kinds``."""

from importlib import import_module
from pkgutil import iter_modules

from plant.faults import kinds
from plant.faults.kind import Kind


def _found() -> dict[str, Kind]:
    library: dict[str, Kind] = {}
    for name in sorted(module.name for module in iter_modules(kinds.__path__)):
        module = import_module(f"{kinds.__name__}.{name}")
        for made in vars(module).values():
            if isinstance(made, type) and issubclass(made, Kind) and made.__module__ == module.__name__:
                library[made.name] = made()
    return library


#: Kinds by name, in alphabetical order.
LIBRARY: dict[str, Kind] = _found()
#: Those that change the cell itself; the others are acted on by its instruments.
PHYSICAL: dict[str, Kind] = {n: k for n, k in LIBRARY.items() if k.where not in ("sensor", "stream")}
