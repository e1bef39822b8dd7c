"""Offer a plant as lines of JSON on stdin and stdout: the ``exec:COMMAND`` form of a plant.

    python -m twin_core.virtual_plant.serve twin_core.virtual_plant.bioreactor:Bioreactor

One request a line, one answer a line: ``{"ok": ..., "time_h": t, "done": b}`` or
``{"error": text}``. A value that is not finite is null.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from math import isfinite
from typing import Any, TextIO

from twin_core.science.contracts import Plant


def load_plant(path: str) -> Plant:
    """Return a new plant of ``module:Class``; ValueError says what is wrong with the name."""
    module, _, name = path.partition(":")
    if not module or not name:
        raise ValueError(f"a plant is named module:Class, not {path!r}")
    try:
        plant = getattr(import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"plant {path!r} cannot be loaded: {error}") from error
    return plant


def serve(plant: Plant, requests: TextIO, answers: TextIO) -> None:
    """Answer every line of ``requests`` until it ends; a bad line is answered, not fatal."""
    for line in requests:
        if line.strip():
            answers.write(json.dumps(answer(plant, line), allow_nan=False) + "\n")
            answers.flush()


def answer(plant: Plant, line: str) -> dict[str, Any]:
    """Return the answer to one request."""
    try:
        request = json.loads(line)
        operation = OPERATIONS[request["op"]]
        result = operation(plant, request)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        return {"error": f"not a request: {error!r}; op is one of {', '.join(OPERATIONS)}"}
    except (ValueError, RuntimeError) as error:
        return {"error": str(error)}
    return {"ok": _plain(result), "time_h": plant.time_h, "done": plant.done}


def _card(plant: Plant, request: Mapping[str, Any]) -> Any:
    return asdict(plant.CARD)


def _reset(plant: Plant, request: Mapping[str, Any]) -> Any:
    plant.reset(int(request["seed"]), request.get("recipe", {}))


def _advance(plant: Plant, request: Mapping[str, Any]) -> Any:
    samples = plant.advance(request.get("setpoints", {}), float(request["hours"]))
    return [asdict(sample) for sample in samples]


def _outcome(plant: Plant, request: Mapping[str, Any]) -> Any:
    return dict(plant.outcome())


OPERATIONS: dict[str, Callable[[Plant, Mapping[str, Any]], Any]] = {
    "card": _card,
    "reset": _reset,
    "advance": _advance,
    "outcome": _outcome,
}


def _plain(value: Any) -> Any:
    """Return what JSON can say: no tuple, no number that is not finite."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m twin_core.virtual_plant.serve module:Class", file=sys.stderr)
        return 2
    answers = sys.stdout
    with redirect_stdout(sys.stderr):  # a plant that prints must not break the conversation
        try:
            plant = load_plant(arguments[0])
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        serve(plant, sys.stdin, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
