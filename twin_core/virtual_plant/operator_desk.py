"""What a person at the vessel can do: files in the folder ``operator``, each one act.

``operator/harvest`` with the content ``1`` harvests, ``operator/feed.rate`` with ``3.5`` sets the
feed, ``operator/batch.start`` starts the next batch; the file goes away when it is done, and is
renamed to ``NAME.refused`` with the reason when it is not. ``operator/interlock`` is a state, not
an act: while it is there, the plant takes no set point, and its content says why.
"""

import logging
from pathlib import Path

from twin_core.virtual_plant.operation import Operation

INTERLOCK = "interlock"
log = logging.getLogger(__name__)


class OperatorDesk:
    """Reads the folder at each scan."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def interlock(self) -> str:
        """Return why the operator has interlocked the plant, or ""."""
        try:
            text = (self._folder / INTERLOCK).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        return text or "set by the operator"

    def obey(self, operation: Operation) -> None:
        """Do what the files ask for. An act is in the journal before its file goes."""
        for path in sorted(self._folder.iterdir()):
            if path.suffix in (".refused", ".part") or path.name == INTERLOCK:
                continue
            try:
                operation.write(path.name, float(path.read_text(encoding="utf-8")), by="operator")
                path.unlink()
            except ValueError as refusal:  # WriteRefused too
                log.warning("operator's %s refused: %s", path.name, refusal)
                path.with_name(f"{path.name}.refused").write_text(f"{refusal}\n", encoding="utf-8")
                path.unlink()
