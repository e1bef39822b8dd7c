"""The certified numerical path: own elementary functions, fixed order, one member at a time."""

from twin_core.science.kernel.build import Kernel, build, equations_digest

__all__ = ["Kernel", "build", "equations_digest"]
