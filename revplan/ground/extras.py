"""What revplan does only with packages that are left to the user: which those are, and the line that installs them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from revplan.ground.errors import ReportError

EXTRAS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "pptx": ("deck", {"pptx": "python-pptx", "lxml": "lxml", "PIL": "pillow", "xlsxwriter": "xlsxwriter"}),
        "xlsx": ("excel", {"xlsxwriter": "xlsxwriter"}),
        "the simulator": ("app", {"voila": "voila"}),
        "PostgreSQL": ("warehouse", {"psycopg": "psycopg"}),
        "Spark": (
            "spark",
            {"pyspark": "pyspark-client", "grpc": "grpcio", "grpc_status": "grpcio-status", "pyarrow": "pyarrow"},
        ),
    }
)
"""By use: the extra of pyproject.toml that brings what it takes, and the packages by the name they are imported as."""


def check_installed(place: str, *uses: str) -> None:
    """That the packages which `uses` take are installed; a use that is not in `EXTRAS` takes none.

    Raises
    ------
    ReportError
        If some are not, with the one line that installs them all.
    """
    missing = {use: _missing(use) for use in uses if use in EXTRAS}
    lacking = {use: packages for use, packages in missing.items() if packages}
    if not lacking:
        return
    from revplan.ground.formats import listed  # with pandas, which the server of the app starts without

    packages = sorted({name for names in lacking.values() for name in names})
    extras = ",".join(dict.fromkeys(EXTRAS[use][0] for use in lacking))
    verb, noun = ("needs" if len(lacking) == 1 else "need"), ("is" if len(packages) == 1 else "are")
    raise ReportError.at(
        place,
        f"{listed(list(lacking))} {verb} {listed(packages)}, which {noun} not installed; pip install 'revplan[{extras}]'",
    )


def _missing(use: str) -> list[str]:
    return [package for module, package in EXTRAS[use][1].items() if find_spec(module) is None]
