"""Where the packages of the bioreactor twin lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIOREACTOR = ROOT / "twin_core" / "equipment" / "bioreactor"
NISTCHO = BIOREACTOR / "packages" / "nistcho_fb2"
