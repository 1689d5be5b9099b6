"""Checkpoints: written whole each epoch, the one before kept, a damaged one refused."""

import sys
from pathlib import Path

import torch

from ..files import packed, whole


def _paths(folder) -> tuple[Path, Path]:
    return Path(folder) / "checkpoint.pt", Path(folder) / "checkpoint.previous.pt"


def save_checkpoint(folder, state: dict) -> None:
    """Write ``state`` as the newest checkpoint of ``folder``; the newest so far becomes the previous one."""
    newest, previous = _paths(folder)
    with whole(newest) as beside:
        beside.write_bytes(packed(state))
        if newest.exists():
            newest.replace(previous)


def load_checkpoint(folder, fingerprint: str) -> dict | None:
    """The newest readable checkpoint of the same training, or None; what is passed over is said on standard error.

    ``fingerprint`` identifies map, model, schedule and seed: a checkpoint of another training is not continued.
    """
    for path in _paths(folder):
        if not path.exists():
            continue
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            found = state["fingerprint"]
        except Exception as problem:  # torch raises many kinds for a damaged file
            print(f"{path}: cannot be read ({type(problem).__name__}); looking for the one before", file=sys.stderr)
            continue
        if found != fingerprint:
            print(f"{path}: belongs to another training (other map, model, schedule or seed); not used", file=sys.stderr)
            continue
        return state
    return None
