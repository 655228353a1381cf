"""Commands about models: ``train``, ``models`` and ``feedback``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from edge.config import load_config
from edge.exits import BAD_DATA, FAILURE, NO_INPUT


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the three commands.

    Parameters
    ----------
    command
        Adds one: name, function, text.
    """
    train = command("train", _train, "limits and models from labelled histories, the same bytes every time")
    train.add_argument(
        "histories", type=Path, nargs="+", metavar="DIR", help="recorded histories with labels"
    )
    train.add_argument("--out", type=Path, required=True, metavar="FILE", help="file of models to write")
    train.add_argument(
        "--feedback",
        type=Path,
        action="append",
        default=[],
        metavar="DATA_DIR",
        help="add what `potline feedback` stored there; as often as needed",
    )
    train.add_argument(
        "--no-network", action="store_true", help="limits only; neither PyTorch nor scikit-learn is needed"
    )
    train.add_argument(
        "--keep-network",
        type=Path,
        metavar="FILE",
        help="with --no-network: take network and order of causes of this file over",
    )
    train.add_argument(
        "--use-network", action="store_true", help="let the network name kinds; by default it stays off"
    )
    train.add_argument("-c", "--config", type=Path, help="potline.toml")

    models = command("models", _models, "every detector: what it is for, what it needs, how good it is")
    models.add_argument("--json", action="store_true", help="for programs instead of a table")
    models.add_argument("--lang", choices=("en", "zh"), default="en", help="language (default en)")
    models.add_argument("-c", "--config", type=Path, help="potline.toml")

    feedback = command("feedback", _feedback, "what became of an alarm, stored with the readings around it")
    feedback.add_argument("data_dir", type=Path, metavar="DATA_DIR", help="folder with alarms.jsonl")
    feedback.add_argument("--alarm", required=True, metavar="ID", help="id of the alarm")
    feedback.add_argument(
        "--verdict", required=True, choices=("confirmed", "not_confirmed", "sensor"), help="what was found"
    )
    feedback.add_argument("--comment", default="", help="in one's own words")
    feedback.add_argument("--by", default="", metavar="NAME", help="who says so")
    feedback.add_argument(
        "--readings",
        type=Path,
        metavar="DIR",
        help="the recorded history, to keep the readings around the alarm",
    )


def _fail(code: int, error: object) -> int:
    sys.stderr.write(f"potline: {error}\n")
    return code


def _train(arguments: argparse.Namespace) -> int:
    from edge.evaluate_read import InputMissing
    from edge.feedback import windows_of
    from edge.train import models_in, train
    from streams.history import HistoryError
    from streams.plant_file import PlantError
    from twin.params import ParamsError

    config = load_config(arguments.config)
    kept = None if arguments.keep_network is None else models_in(str(arguments.keep_network))
    windows = [window for folder in arguments.feedback for window in windows_of(folder)]
    try:
        return train(
            arguments.histories,
            arguments.out,
            config,
            windows=windows,
            network=not arguments.no_network,
            kept=kept,
            use_network=arguments.use_network,
            say=print,
        )
    except InputMissing as error:
        return _fail(NO_INPUT, error)
    except (HistoryError, PlantError, ParamsError) as error:
        return _fail(BAD_DATA, error)
    except ValueError as error:
        return _fail(FAILURE, error)


def _models(arguments: argparse.Namespace) -> int:
    from edge.model_register import show

    return show(load_config(arguments.config), arguments.lang, arguments.json, print)


def _feedback(arguments: argparse.Namespace) -> int:
    from edge.feedback import NoSuchAlarm, store
    from streams.history import HistoryError
    from streams.plant_file import PlantError

    try:
        return store(
            arguments.data_dir,
            arguments.alarm,
            arguments.verdict,
            comment=arguments.comment,
            by=arguments.by,
            readings=arguments.readings,
            say=print,
        )
    except NoSuchAlarm as error:
        return _fail(NO_INPUT, error)
    except (HistoryError, PlantError) as error:
        return _fail(BAD_DATA, error)
