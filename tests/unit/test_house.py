"""The rules of the house that no other tool checks: floors, lengths, notebooks, pins, paths, versions."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import revplan

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {"jupyterlab", "pandas", "matplotlib", "ipywidgets", "scipy", "papermill", "nbval"}
UNLOCKED = {"warehouse", "spark"}  # extras that requirements.lock leaves out
LONGEST_MODULE = 800  # lines: fewer modules, somewhat longer; one subject may fill one

# The wings, from the ground up: each imports only from those before it.
WINGS = (
    "ground",
    "plan",
    "crm",
    "rates",
    "funnel",
    "snapshot",
    "capacity",
    "simulation",
    "staffing",
    "workbook",
    "record",
    "tracking",
    "exhibits",
    "excel",
    "printing",
    "run",
    "app",
    "cli",
)
FLOOR = {wing: number for number, wing in enumerate(WINGS)}
EXEMPT = {"__init__.py", "__main__.py"}

DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
STATEMENTS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.TryStar,
    ast.Match,
)
# The folders of one machine: a slash that begins a path, a well-known first folder, a slash, a name.
MACHINE_PATH = re.compile(r"(?<![\w.~)}>*-])/(?:home|root|work|tmp|Users|opt|mnt)/[\w.]")


def project() -> dict:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared() -> list[Requirement]:
    """The requirements of pyproject.toml that are locked: core, extras and what builds the project."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    extras = [
        line for name, lines in project()["optional-dependencies"].items() if name not in UNLOCKED for line in lines
    ]
    return [Requirement(line) for line in [*project()["dependencies"], *extras, *build]]


# --- environment.yml and requirements.lock -------------------------------------------------------------------


def conda() -> dict[str, str]:
    """Package -> range in the conda part of environment.yml, and `pip:` -> its lines."""
    content = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = [Requirement(line) for line in content["dependencies"] if isinstance(line, str)]
    return {line.name: str(line.specifier) for line in lines}


def test_conda_gives_the_same_python() -> None:
    assert (
        Requirement(f"python{conda()['python']}").specifier
        == Requirement(f"python{project()['requires-python']}").specifier
    )


def test_conda_gives_the_given_packages_in_the_same_ranges() -> None:
    ranges = {line.name: str(line.specifier) for line in declared() if line.name in GIVEN}
    assert set(ranges) == GIVEN
    assert {name: text for name, text in conda().items() if name not in {"python", "pip"}} == ranges


def test_conda_leaves_the_rest_to_pip() -> None:
    content = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["dependencies"][-1] == {"pip": ["-e .[app,deck,excel,dev]"]}
    assert (content["name"], content["channels"]) == ("revplan", ["conda-forge"])


def lock() -> str:
    """The text of requirements.lock."""
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def pins(text: str) -> dict[str, list[str]]:
    """Package -> the versions pinned (several, where they depend on the system)."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def test_lock_names_no_address_and_no_option() -> None:
    lines = lock().splitlines()
    assert [line for line in lines if "://" in line or line.startswith("-")] == []
    assert [line for line in lines if not re.match(r"[\w.\[\]-]+==|    --hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("wanted", declared(), ids=str)
def test_lock_pins_what_is_declared(wanted: Requirement) -> None:
    versions = pins(lock()).get(canonicalize_name(wanted.name), [])
    assert versions, f"{wanted.name} is not in requirements.lock: make lock"
    assert [v for v in versions if not wanted.specifier.contains(v)] == [], f"{wanted} is pinned elsewhere"


def test_lock_leaves_the_servers_of_users_out() -> None:
    lines = [line for extra in sorted(UNLOCKED) for line in project()["optional-dependencies"][extra]]
    names = [canonicalize_name(Requirement(line).name) for line in lines]
    assert names == ["grpcio", "grpcio-status", "pyarrow", "pyspark-client", "psycopg"]
    assert [name for name in names if name in pins(lock())] == []


# --- imports and requirements --------------------------------------------------------------------------------

NOT_IMPORTED = {
    "axe-playwright-python": "asked for by `importorskip`",
    "jupyterlab": "what the notebooks are opened in",
    "editables": "makes the editable install",
    "formulas": "asked for by `importorskip`",
    "hatchling": "builds the wheel",
    "mypy": "run by `make lint`",
    "ruff": "run by `make lint`",
    "pytest-xdist": "the processes of `make test`",
    "grpcio-status": "imported by pyspark-client, which requires neither",
    "pyarrow": "what pyspark-client answers with",
}
PEERS = {"atheris", "lifelines", "squigglepy"}  # of benchmarks, each left out where it is not installed
USERS = ("app", "deck", "excel", "warehouse", "spark")  # extras a user may ask for; the others are for development


@cache
def nodes_in(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a module, itself the first."""
    return tuple(ast.walk(ast.parse(source)))


@pytest.fixture(scope="module", autouse=True)
def _kept_no_longer() -> Iterator[None]:
    """What is kept of so many modules is let go with this one."""
    yield
    nodes_in.cache_clear()


def imported_packages(*paths: Path) -> dict[str, str]:
    """The packages from elsewhere that modules in `paths` import, by their name; with one of the modules."""
    scripts = ("tests", "tools", "benchmarks", "data")  # whose modules import each other by their bare names
    ours = {"revplan", "tools", *(path.stem for folder in scripts for path in (ROOT / folder).rglob("*.py"))}
    found: dict[str, str] = {}
    for path in (each for given in paths for each in ([given] if given.is_file() else sorted(given.rglob("*.py")))):
        for node in nodes_in(path.read_text(encoding="utf-8")):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in {each.split(".")[0] for each in names} - sys.stdlib_module_names - ours - PEERS:
                found[canonicalize_name(DISTRIBUTIONS.get(name, [name])[0])] = f"{path.relative_to(ROOT)}: {name}"
    return found


UNINSTALLED = {"grpc": ["grpcio"], "pyspark": ["pyspark-client"]}  # or brought by pyspark itself
DISTRIBUTIONS = {**packages_distributions(), **UNINSTALLED}


def required(*extras: str) -> set[str]:
    """The packages that revplan requires, and those of `extras`, by their name."""
    lines = [
        *project()["dependencies"],
        *(line for each in extras for line in project()["optional-dependencies"][each]),
    ]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_what_the_package_imports_is_declared() -> None:
    found = imported_packages(ROOT / "revplan")
    assert {"numpy", "markupsafe", "tornado"} <= set(found)
    assert {name: place for name, place in found.items() if name not in required(*USERS)} == {}


def test_what_tests_and_tools_import_is_declared() -> None:
    places = [ROOT / name for name in ("tests", "tools", "benchmarks", "data", "conftest.py", "run.py")]
    found = imported_packages(*places)
    assert {
        name: place for name, place in found.items() if name not in required(*project()["optional-dependencies"])
    } == {}


def test_what_benchmarks_and_tools_take_from_revplan_is_there() -> None:
    """No test runs them, so that a name they ask for may have gone unseen."""
    taken = [
        (path.name, str(node.module), name.name)
        for folder in ("benchmarks", "tools", "data")
        for path in (ROOT / folder).glob("*.py")
        for node in nodes_in(path.read_text(encoding="utf-8"))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "revplan"
        for name in node.names
    ]
    assert len(taken) > 100
    lacking = [each for each in taken if not hasattr(importlib.import_module(each[1]), each[2])]
    folders = [each for each in lacking if hasattr(importlib.import_module(each[1]), "__path__")]
    modules_of = [each for each in folders if importlib.util.find_spec(f"{each[1]}.{each[2]}")]
    assert [each for each in lacking if each not in modules_of] == []


def test_what_is_declared_is_used() -> None:
    used = set(imported_packages(ROOT / "revplan")) | set(NOT_IMPORTED)
    assert required(*USERS) - used == set()
    tests = set(imported_packages(ROOT / "tests", ROOT / "conftest.py", ROOT / "benchmarks")) | used
    assert required(*project()["optional-dependencies"]) - tests == set()


# --- floors and lengths --------------------------------------------------------------------------------------


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted((ROOT / "revplan").rglob("*.py"))


def imported(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """The parts of revplan that `source`, a module in `package`, imports; `""` is the package's front."""
    for node in nodes_in(source):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{origin}.{alias.name}" for alias in node.names] if origin == "revplan" else [origin]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "revplan" and rest != "__version__":
                yield rest.split(".")[0]


def too_high(source: str, path: Path) -> list[str]:
    """What the module at `path` (relative to the package) imports from its own floor or above."""
    unit = path.with_suffix("").parts[0]
    if unit not in FLOOR:
        return [f"{path}: {unit} has no floor; say in WINGS where it stands"]
    units = imported(source, ("revplan", *path.parent.parts))
    bad = {to for to in units if to != unit and FLOOR.get(to, len(WINGS)) >= FLOOR[unit]}
    return [f"{path}: imports {to or 'the front of the package'}, which is not below {unit}" for to in sorted(bad)]


def test_modules_import_only_from_lower_floors() -> None:
    package = ROOT / "revplan"
    checked = [path.relative_to(package) for path in modules() if path.parent != package or path.name not in EXEMPT]
    assert Path("ground/errors.py") in checked
    assert [line for path in checked for line in too_high((package / path).read_text(encoding="utf-8"), path)] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ground/errors.py", "from revplan.plan.model import Plan"),
        ("plan/goal.py", "from revplan import rates"),
        ("funnel/commit.py", "def f():\n    import revplan.tracking.landing"),
        ("rates/parts.py", "from ..funnel import year"),
        ("tracking/landing.py", "from .. import exhibits"),
        ("plan/checks.py", "from revplan import Plan"),
        ("printing/page.py", "import revplan"),
        ("printing/page.py", "import revplan.cli as c"),
        ("gadgets.py", ""),
    ],
)
def test_floor_check_sees_a_planted_violation(path: str, source: str) -> None:
    assert len(too_high(source, Path(path))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("funnel/year.py", "from revplan.plan.model import Plan\nfrom revplan.funnel import commit\nimport numpy"),
        ("rates/parts.py", "from .spells import spells\nfrom ..ground.errors import DataError"),
        ("cli.py", "from revplan import workbook"),
        ("ground/calendar.py", "import calendar\nfrom calendar import monthrange"),
    ],
)
def test_floor_check_lets_lower_floors_pass(path: str, source: str) -> None:
    assert too_high(source, Path(path)) == []


def arrows() -> dict[str, set[str]]:
    """Module of the package -> the modules of the package it imports, for whatever reason."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules()}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        found[name] = set()
        for node in nodes_in(path.read_text(encoding="utf-8")):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("revplan"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    found[name].add(whole if whole in names else str(node.module))
    return found


def circles(arrows: dict[str, set[str]]) -> set[str]:
    """The modules from which some way leads back to them, or into such a circle."""
    left = {name: set(to) for name, to in arrows.items()}
    while done := {name for name, to in left.items() if not to & left.keys()}:
        left = {name: to for name, to in left.items() if name not in done}
    return set(left)


def test_no_module_leads_back_to_itself() -> None:
    found = arrows()
    assert "revplan.plan.goal" in found["revplan.plan.parts"]
    assert circles(found) == set()


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}


def test_few_names_stand_at_the_top() -> None:
    names = {path.relative_to(ROOT / "revplan").parts[0] for path in modules()} - EXEMPT
    assert {Path(name).stem for name in names} == set(WINGS)
    assert len(WINGS) <= 18  # with people and money, which the first sixteen did not know


def test_modules_stay_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert lengths
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


# --- words ---------------------------------------------------------------------------------------------------

# A sentence may say that something came or is known; a thing is called by the field's word: plan, actual, baseline, snapshot,
# data quality. `from_known` is a name of the JSON answers (design/interface.md).
NOT_THE_FIELDS = re.compile(
    r"(?:^|_)(?:promis\w*|came|held|(?<!from_)known|standing|warts?|bank|odds|desk)(?:_|$)"
    r"|Promise|Came(?![a-z])|Held|Known|Wart|Bank(?![a-z])|Odds|Desk(?![a-z])"
)


# A participle in a list of them; a file of folders signed earlier; a setting of DuckDB.
OTHERS = {"held", "promises", "autoload_known_extensions"}


def types_of(source: str) -> set[str]:
    """The types a module defines: classes, and aliases and type variables at its top, an underscore before them left out."""
    tree, *nodes = nodes_in(source)
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    named = (
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    )
    aliases = {name for name in named if re.match(r"_?[A-Z]\w*[a-z]", name)}
    return {name.lstrip("_") for name in classes | aliases}


def names_of(source: str) -> set[str]:
    """The identifiers of a module, those in its f-strings among them, and texts that are one word: columns, ids."""
    fields = (value for node in nodes_in(source) for _, value in ast.iter_fields(node))
    texts = (text for text in fields if isinstance(text, str) and re.fullmatch(r"[\w.]+", text))
    return {name for text in texts for name in text.split(".")}


def test_one_name_is_one_type() -> None:
    defined: dict[str, list[str]] = {}
    for path in modules():
        for name in types_of(path.read_text(encoding="utf-8")):
            defined.setdefault(name, []).append(str(path.relative_to(ROOT / "revplan")))
    assert "Plan" in defined
    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


def test_a_second_type_of_a_name_is_seen() -> None:
    source = "class Plan: pass\nclass _Row(NamedTuple): pass\nKey = tuple[str, ...]\nItem = TypeVar('Item')\nMOST: int = 3\nX = 1"
    assert types_of(source) == {"Plan", "Row", "Key", "Item"}


def test_things_are_called_by_the_fields_words() -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(
            filter(NOT_THE_FIELDS.search, {path.stem, *names_of(path.read_text(encoding="utf-8"))} - OTHERS)
        )
        for path in modules()
    }
    for path in (ROOT / "revplan/ground/tables.csv", ROOT / "revplan/exhibits/measures.csv"):
        lines = [line.split(",")[:2] for line in path.read_text(encoding="utf-8").splitlines()]
        found[path.name] = [name for line in lines for name in line if NOT_THE_FIELDS.search(name)]
    assert {place: names for place, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "came = 1",
        "def promised_rates(): pass",
        "row['came_arr']",
        "f'{held}'",
        "class Wart: pass",
        "f(known=1)",
        "from revplan.crm import warts",
        "import revplan.excel.desk as d",
        "x.bank",
    ],
)
def test_another_word_is_seen(source: str) -> None:
    assert [name for name in names_of(source) if NOT_THE_FIELDS.search(name)]


def test_sentences_and_the_fields_words_pass() -> None:
    source = "forecast.from_known\nsay('No win came, as is known.', became=1, unknown=2, withheld=3, bankers=4)\nf'{actual} came'"
    assert [name for name in names_of(source) if NOT_THE_FIELDS.search(name)] == []


def labels_given(source: str) -> int:
    """How often `source` hands the labels of a table in, instead of naming the table."""
    calls = (node for node in nodes_in(source) if isinstance(node, ast.Call))
    return sum(keyword.arg == "labels" for call in calls for keyword in call.keywords)


def test_labels_stand_in_the_data_dictionary() -> None:
    assert labels_given('table(frame, kinds, "Said", labels={"n": "Number"})') == 1
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "revplan/exhibits").glob("*.py")}
    assert {name for name, source in sources.items() if labels_given(source)} == {"exhibit.py"}


def letters_given(source: str) -> list[str]:
    """Where `source` itself says how large letters are, instead of asking the style file."""
    return re.findall(r"(?m)^\w*SIZES?\b[\w, ]*= .*\d|text_look\(\d|Pt\(\d|font_size\W+\d", source)


def test_sizes_of_letters_stand_in_the_style_files() -> None:
    planted = 'SIZE = 9.5\nNOTE_SIZES, LINES = (10.0, 9.0), 3\ntext_look(12)\nPt(9)\n{"font_size": 10}'
    assert len(letters_given(planted)) == 5
    assert letters_given('NOTE_SIZES = slide_letters("note")\ntext_look(SIZE)\nPt(size)') == []
    printers = [
        path for wing in ("exhibits", "printing", "excel", "app") for path in (ROOT / "revplan" / wing).rglob("*.py")
    ]
    assert {path.name: found for path in printers if (found := letters_given(path.read_text(encoding="utf-8")))} == {}


# --- nothing that no user can reach --------------------------------------------------------------------------

REACHED_OTHERWISE = {
    "revplan.app.server.get_kernel_spec": "jupyter_server asks it for the kernel",
    "revplan.app.server.get_all_specs": "jupyter_server asks it for the kernels",
    "revplan.app.server.listen": "voila calls it to serve",
    "revplan.app.server.start_kernel": "jupyter_server starts a kernel with it",
    "revplan.app.server.launch_kernel": "jupyter_client starts a process with it",
    "revplan.app.door.prepare": "tornado calls it for every request",
    "revplan.excel.writer._prepare_formula": "xlsxwriter asks it for every formula",
    "revplan.exhibits.pace.teams": 'rp.exhibit(rp.open_pace(...), "teams")',
}
"""What is called by its name alone -> by whom."""
PYDANTIC = {"model_validator", "field_validator", "model_serializer"}


def named_in(source: str, module: str) -> Iterator[str]:
    """What `source`, the code of `module`, names: `module.name` where it is known of which, `.name` of something."""
    nodes = nodes_in(source)
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    known = {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    yield from known.values()
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield known.get(node.id, f"{module}.{node.id}")
        elif isinstance(node, ast.Attribute):
            yield f".{node.attr}"
            yield f"{known.get(node.value.id, '')}.{node.attr}" if isinstance(node.value, ast.Name) else ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # a name by itself, or code of a notebook
            yield from [f".{node.value}"] if node.value.isidentifier() else []
            yield from (".".join(found) for found in re.findall(r"from (revplan[\w.]*) import (\w+)", node.value))


def unreached(sources: dict[str, str], elsewhere: Iterable[str] = ()) -> set[str]:
    """Functions, classes and constants of `sources` (by module) that only themselves name, there and in code `elsewhere`."""
    named = Counter(name for source in elsewhere for name in named_in(source, "elsewhere"))
    inside = {module: Counter(named_in(source, module)) for module, source in sources.items()}
    for counts in inside.values():
        named.update(counts)
    found = set()
    for module, source in sources.items():
        tree, *nodes = nodes_in(source)
        for node in nodes:
            targets = node.targets if isinstance(node, ast.Assign) and node in tree.body else ()
            hooks = {ast.unparse(each).split("(")[0] for each in getattr(node, "decorator_list", ())}
            for name in (
                [node.name]
                if isinstance(node, DEFINED)
                else [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            ):
                keys = [f"{module}.{name}"] if node in tree.body else [f"{module}.{name}", f".{name}"]
                if any(named[key] > inside[module][key] for key in keys):  # another module names it
                    continue
                own = Counter(named_in(ast.unparse(node), module))
                if all(named[key] <= own[key] for key in keys) and not hooks & PYDANTIC and not name.startswith("__"):
                    found.add(f"{module}.{name}")
    return found


def test_whatever_is_written_is_reached() -> None:
    """By a command, a notebook, a tool or a page for users: what tests alone call serves nobody."""
    read = {
        path: path.read_text(encoding="utf-8")
        for folder in ("tools", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    }
    pages = [path.read_text(encoding="utf-8") for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]]
    elsewhere = [
        *read.values(),
        *(code for page in pages for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)),
    ]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        elsewhere.append("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in modules()
    }
    sources = {name: path.read_text(encoding="utf-8") for name, path in names.items()}
    assert unreached(sources, elsewhere) == set(REACHED_OTHERWISE)


def test_what_nothing_reaches_is_seen() -> None:
    below = "A = 1\nB = 2\ndef f():\n    return B\ndef g(n):\n    return g(n - 1)\nclass C:\n    def m(self): ..."
    above = "from revplan import below\nfrom revplan.below import C\nprint(below.f(), other.A, C())"
    assert unreached({"revplan.below": below}, [above]) == {"revplan.below.A", "revplan.below.g", "revplan.below.m"}
    assert unreached({"revplan.below": below}, [above, "from revplan.below import A, g\nx.m()"]) == set()


# --- notebooks -----------------------------------------------------------------------------------------------


def notebook_faults(notebook: dict) -> list[str]:
    """What keeps `notebook` from being thin, parameterised and executed."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    faults = [fault for number, cell in enumerate(code, start=1) for fault in cell_faults(number, cell)]
    if len(tagged) != 1:
        faults.append(f"{len(tagged)} cells are tagged parameters; one must be")
    if not any(cell["outputs"] for cell in code):
        faults.append("no cell has an output: make notebooks")
    return faults


def cell_faults(number: int, cell: dict) -> Iterator[str]:
    """What is wrong with code cell `number`."""
    if cell["execution_count"] is None:
        yield f"code cell {number} was not run: make notebooks"
    try:
        tree = ast.parse("".join(cell["source"]))
    except SyntaxError:
        yield f"code cell {number} is not plain Python"
        return
    for node in ast.walk(tree):
        if isinstance(node, STATEMENTS):
            yield f"code cell {number} holds a {type(node).__name__}: it belongs into revplan/"


def test_notebooks_are_thin_parameterised_and_executed() -> None:
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not paths:
        pytest.skip("no notebook is there yet")
    found = {path.name: notebook_faults(json.loads(path.read_text(encoding="utf-8"))) for path in paths}
    assert {name: faults for name, faults in found.items() if faults} == {}


def _code(source: str, count: int | None = 1, tags: Iterable[str] = (), outputs: Iterable[str] = ("42",)) -> dict:
    return {
        "cell_type": "code",
        "source": source.splitlines(keepends=True),
        "execution_count": count,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
    }


PARAMETERS = _code("plan = 'plan.yaml'", tags=["parameters"])


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ([_code("x = 1")], "0 cells are tagged parameters"),
        ([PARAMETERS, PARAMETERS], "2 cells are tagged parameters"),
        ([PARAMETERS, _code("x", count=None)], "code cell 2 was not run"),
        ([PARAMETERS, _code("%matplotlib inline")], "code cell 2 is not plain Python"),
        ([_code("a = 1", tags=["parameters"], outputs=[])], "no cell has an output"),
        *[
            ([PARAMETERS, _code(source)], f"code cell 2 holds a {kind}")
            for source, kind in [
                ("def f():\n    pass", "FunctionDef"),
                ("class A:\n    pass", "ClassDef"),
                ("if x:\n    y", "If"),
                ("for x in y:\n    x", "For"),
                ("while x:\n    y", "While"),
                ("try:\n    x\nfinally:\n    y", "Try"),
                ("with x:\n    if y:\n        z", "If"),
            ]
        ],
    ],
)
def test_notebook_check_sees_a_planted_fault(cells: list[dict], fault: str) -> None:
    (found,) = notebook_faults({"cells": cells})
    assert found.startswith(fault)


def test_notebook_check_lets_a_thin_notebook_pass() -> None:
    words = {"cell_type": "markdown", "source": ["# Which lead volume?"], "metadata": {}}
    assert notebook_faults({"cells": [words, PARAMETERS, _code("commit_sheet(plan)")]}) == []


# --- what is in git ------------------------------------------------------------------------------------------


def tracked() -> list[Path]:
    """The files git knows; the test is skipped where there is no git."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode:
        pytest.skip("this folder is not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def machine_paths(content: bytes) -> list[str]:
    """The lines of a text that name a folder of one machine; none for what is no text."""
    lines = [] if b"\0" in content else content.decode("utf-8", errors="replace").splitlines()
    return [line.strip()[:120] for line in lines if MACHINE_PATH.search(line)]


def test_no_tracked_file_names_a_folder_of_one_machine() -> None:
    found = {str(path.relative_to(ROOT)): machine_paths(path.read_bytes()) for path in tracked()}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("folder", ["home", "root", "work", "tmp"])
def test_path_check_sees_a_planted_path(folder: str) -> None:
    assert machine_paths(f'open("/{folder}/anna/plan.yaml")'.encode())
    assert not machine_paths(f"see https://example.com/{folder}/plan and ./{folder}/plan".encode())


def test_version_is_the_newest_of_the_changelog() -> None:
    path = ROOT / "CHANGELOG.md"
    if not path.exists():
        pytest.skip("no CHANGELOG.md is there yet")
    versions = re.findall(r"^##\s+\[?v?(\d+\.\d+[^\]\s]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[:1] == [revplan.__version__]


def test_glossary_is_alphabetical_and_its_references_lead_somewhere() -> None:
    text = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    terms = [term.casefold() for term in re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)]
    assert terms == sorted(set(terms))
    references = re.findall(r"\b(?:[Ss]ee|Compare) \*(.+?)\*", text)
    assert references
    assert [word for word in references if word not in terms] == []


def words(text: str) -> str:
    """The words of a text in small letters, a space between them; identifiers are told in words too."""
    return " ".join(["", *re.findall(r"[^\W_]+", text.casefold()), ""])


def unused(terms: Iterable[str], texts: Iterable[str]) -> set[str]:
    """The terms of the glossary that `texts` never use: a term may name two things, and what it is a term of in brackets."""
    used = words("\n".join(texts))
    parts = {term: re.split(r", | and ", re.sub(r"\(.*?\)| order$", "", term)) for term in terms}
    return {
        term
        for term, each in parts.items()
        if not all(re.search(f" {words(part).strip()}(?:e?s)? ", used) for part in each)
    }


def test_every_term_of_the_glossary_is_used() -> None:
    kinds = {".py", ".csv", ".yaml", ".html", ".j2", ".js"}
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "revplan").rglob("*") if path.suffix in kinds]
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "data").rglob("README.md")]
    texts += [path.read_text(encoding="utf-8") for path in pages]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        texts += ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    terms = re.findall(r"^\*\*(.+?)\.\*\*", (ROOT / "GLOSSARY.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert unused([term.casefold() for term in terms], texts) == set()


def test_an_unused_term_is_seen() -> None:
    terms = [
        "magic number",
        "win rate",
        "carry-in, carry-out",
        "template (of slides)",
        "saastr and sirius order",
        "entry",
    ]
    texts = ["win_rate = 1", "The carry-in; templates; `saastr`, `sirius`; no entryway"]
    assert unused(terms, texts) == {"magic number", "carry-in, carry-out", "entry"}
