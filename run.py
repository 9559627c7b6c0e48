"""Everything `make` does, on every system: `python run.py report`.

Needs nothing but Python itself. The first command makes `.venv` from `requirements.lock`;
a stamp in it tells later commands that this is done. A `.venv` without its stamp is half made
and is made again; one whose stamp is of another lock file is brought up to date.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "revplan-lock.sha256"
LOG = VENV / "setup.log"
LOCK = ROOT / "requirements.lock"

# The range of `requires-python` in pyproject.toml; a test keeps them equal (old Pythons cannot read TOML).
OLDEST = (3, 11)
TOO_NEW = (3, 14)

SIGN_OF_LIFE = 10  # seconds between two lines while an installer works silently
NETWORK_WORDS = (
    "connection",
    "dns error",
    "error sending request",
    "name resolution",
    "network",
    "proxy",
    "timed out",
)

# Files that share what is dear to make, or a notebook, at a time in each process, the dearest first (conftest.py says
# which). In one process, as for --pdb: `run.py test -n0`.
SIDE_BY_SIDE = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]

ENDS = {
    "oldest": ["--resolution", "lowest-direct"],
    "newest": ["--resolution", "highest"],
}
"""How uv chooses the packages of the two ends of the ranges in pyproject.toml."""

ABOUT = {
    "setup": "make .venv, or bring it up to date",
    "report": "the annual commit of the example company, into reports/",
    "revplan": "any revplan command, such as `run.py revplan plan data/example/plan.yaml`",
    "test": "all tests, the committed notebooks among them; arguments go to pytest",
    "processors": "notebooks and computing tests as twelve other processors would run them (an hour; --two: two, in minutes)",
    "lint": "ruff and mypy",
    "notebooks": "run the committed notebooks again and keep their outputs",
    "sample": "the example company's board pack and the README's pictures, into reports/sample/",
    "ranges": "the tests with the oldest packages that pyproject.toml allows, then the newest (needs uv; oldest, newest: one)",
    "lock": "pin all dependencies again (needs uv); --upgrade takes newer ones",
}


class SetupError(Exception):
    """What stops a command: one line that says what to do, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def main(arguments: list[str]) -> int:
    """The exit code of the command named first in `arguments`."""
    name, extra = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if name not in ABOUT:
        print(usage())
        return 0 if name in {"help", "-h", "--help"} else 2
    try:
        if name == "ranges":
            return ranges(extra)
        if name != "lock":
            set_up()
        return run_all(commands(name, extra), Path.cwd() if name == "revplan" else ROOT)
    except SetupError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130


def usage() -> str:
    """The commands, one a line."""
    return "\n".join(["usage: python run.py COMMAND", *(f"  {name:<10} {what}" for name, what in ABOUT.items())])


def commands(name: str, extra: list[str]) -> list[list[str]]:
    """The processes that command `name` starts, in order; `extra` goes to the last."""
    python = str(PYTHON)
    table = {
        "setup": [],
        "report": [[python, "-m", "revplan", "report", "annual_commit", "data/example/plan.yaml", "--out", "reports"]],
        "revplan": [[python, "-P", "-m", "revplan"]],  # -P: nothing is imported from the folder it is called in
        "test": [[python, "-m", "pytest", "--nbval", "--nbval-current-env", *everything_unless_named(extra)]],
        "processors": [[python, "tests/processors.py"]],
        "lint": [
            [python, "-m", "ruff", "check", "."],
            [python, "-m", "ruff", "format", "--check", "."],
            [python, "-m", "mypy"],
        ],
        "notebooks": [[python, "tools/refresh.py"]],
        "sample": [[python, "tools/sample.py"]],
        "lock": [lock_command()] if name == "lock" else [],
    }
    chosen = table[name]
    return [*chosen[:-1], [*chosen[-1], *extra]] if chosen else []


def everything_unless_named(extra: list[str]) -> list[str]:
    """What pytest is told besides `extra`: to run all there is, side by side, unless `extra` names a place itself."""
    named = any((ROOT / word.split("::")[0]).exists() for word in extra if not word.startswith("-"))
    return [] if named else [*SIDE_BY_SIDE, "tests", "notebooks"]


def ranges(arguments: list[str]) -> int:
    """The first exit code other than 0 of the tests at the ends named, or at both; the rest of `arguments` goes to pytest."""
    named = [end for end in ENDS if end in arguments]
    extra = [word for word in arguments if word not in ENDS]
    return next((code for code in [tested_at(end, extra) for end in named or ENDS] if code), 0)


def tested_at(end: str, extra: list[str]) -> int:
    """The exit code of the tests in an environment of its own, made anew, with the oldest or the newest packages."""
    uv, place = found_uv("ranges"), ROOT / f".venv-{end}"
    python = place / PYTHON.relative_to(VENV)
    print(f"The {end} packages that pyproject.toml allows, in {place.name}", flush=True)
    install = [uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(python), *ENDS[end]]
    made = run_until_one_fails(
        [uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)],
        [*install, "-e", f"{ROOT}[app,deck,excel,dev]"],
        [uv, "pip", "list", "--python", str(python)],
    )
    # Lax: cells must run; charts are only drawn as they were committed by the matplotlib of requirements.lock.
    tests = [str(python), "-m", "pytest", "--nbval-lax", "--nbval-current-env", *everything_unless_named(extra), *extra]
    return made or run_all([tests], ROOT)


def run_until_one_fails(*chosen: list[str]) -> int:
    """The exit code of the first of `chosen` that fails, those after it being left; 0 where all went well."""
    return next((code for code in (run_all([command], ROOT) for command in chosen) if code), 0)


def found_uv(command: str) -> str:
    """Where uv is, which `command` needs."""
    uv = shutil.which("uv")
    if not uv:
        raise SetupError(f"`{command}` needs uv on the PATH: pip install uv", 2)
    return uv


def lock_command() -> list[str]:
    """The command that writes requirements.lock, without addresses, for every system.

    The extras `warehouse` and `spark` are left out: only users of such servers need them.
    """
    return (
        f"{found_uv('lock')} pip compile pyproject.toml --extra app --extra deck --extra excel --extra dev --extra browser --python-version 3.11 --universal --generate-hashes "
        "--no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock"
    ).split()


def run_all(chosen: list[list[str]], folder: Path) -> int:
    """The first exit code other than 0, after all of `chosen` have run in `folder`."""
    codes = [subprocess.run(command, cwd=folder, env=child_environment()).returncode for command in chosen]
    return next((code for code in codes if code), 0)


def set_up() -> None:
    """A `.venv` that holds what requirements.lock says; nothing is done if it does already."""
    wanted = fingerprint()
    if is_ready(wanted):
        return
    check_python(sys.version_info[:2])
    check_modules()
    make_venv()
    steps = install_steps(shutil.which("uv"))
    for number, (what, command) in enumerate(steps, start=1):
        print(f"[{number}/{len(steps)}] {what}", flush=True)
        install(what, command)
    STAMP.write_text(wanted + "\n", encoding="ascii")
    print("Ready.", flush=True)


def fingerprint() -> str:
    """A hash of what `.venv` is made from: the lock file, the project file and the folder."""
    content = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), os.fsencode(ROOT)]
    return hashlib.sha256(b"\0".join(content)).hexdigest()


def is_ready(wanted: str) -> bool:
    """Whether `.venv` is whole and was made from the same files."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="ascii").strip() == wanted


def check_python(version: tuple[int, ...]) -> None:
    """Stop unless `version` of Python is one that all dependencies know."""
    if OLDEST <= version < TOO_NEW:
        return
    raise SetupError(
        f"Python {dotted(version)} is outside {dotted(OLDEST)} to below {dotted(TOO_NEW)}; name another one, "
        "such as `make report PY=python3.12` or `python3.12 run.py report`",
        2,
    )


def dotted(version: tuple[int, ...]) -> str:
    """A version as it is written: (3, 11) is 3.11."""
    return ".".join(str(part) for part in version)


def check_modules() -> None:
    """Stop if this Python cannot make a virtual environment (Debian ships it without)."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise SetupError(
            f"this Python lacks `{error.name}`; install it, then run the same command again "
            "(Debian, Ubuntu: sudo apt install python3-venv)",
            2,
        ) from None


def make_venv() -> None:
    """An empty `.venv`, or the whole one that is there; its stamp is taken off until all is installed."""
    if PYTHON.exists() and STAMP.exists():
        print("Bringing .venv up to date.", flush=True)
        STAMP.unlink()
        return
    if VENV.exists():
        print("Removing a half-made .venv.", flush=True)
        shutil.rmtree(VENV)
    print("First time: 1 to 3 minutes.", flush=True)
    VENV.mkdir()


def install_steps(uv: str | None) -> list[tuple[str, list[str]]]:
    """What is done, and by which command: by `uv` where it is installed, else by pip."""
    python = str(PYTHON)
    if uv:
        pip = [uv, "pip"]
        locked = [*pip, "sync", "-q", "--compile-bytecode", "--python", python, "--require-hashes", str(LOCK)]
        own = [*pip, "install", "-q", "--python", python]
    else:
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
        locked = [*pip, "--require-hashes", "--no-deps", "-r", str(LOCK)]
        own = pip
    make = ("Making .venv", [sys.executable, "-m", "venv", "--without-pip", str(VENV)])
    seed = ("Adding pip", [python, "-m", "ensurepip", "--default-pip"])
    return [
        *([] if PYTHON.exists() else [make]),
        *([] if uv else [seed]),
        ("Installing the packages of requirements.lock", locked),
        ("Installing revplan itself", [*own, "--no-build-isolation", "--no-deps", "-e", str(ROOT)]),
    ]


def install(what: str, command: list[str]) -> None:
    """Run one step of the set-up, with a sign of life now and then; stop if it fails."""
    started = time.monotonic()
    with LOG.open("w", encoding="utf-8") as log:
        child = subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdout=log, stderr=subprocess.STDOUT)
        while child.poll() is None:
            try:
                child.wait(timeout=SIGN_OF_LIFE)
            except subprocess.TimeoutExpired:
                print(f"      still at it after {time.monotonic() - started:.0f} s", flush=True)
    if child.returncode:
        raise SetupError(explanation(what, LOG.read_text(encoding="utf-8", errors="replace")))


def child_environment() -> dict[str, str]:
    """The environment of all that is started: as here, but compiled files are written (starts take a third)."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def explanation(what: str, output: str) -> str:
    """Why a step failed, in one line, from what the installer printed."""
    where = f"All it said is in {LOG.relative_to(ROOT)}"
    if any(word in output.lower() for word in NETWORK_WORDS):
        return f"{what}: no connection to the package index. Check network and proxy, then run it again. {where}"
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    telling = [line for line in lines if re.search(r"error: \S+ ", line, re.IGNORECASE)] or lines
    return f"{what} failed: {telling[-1].rstrip('.')}. {where}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
