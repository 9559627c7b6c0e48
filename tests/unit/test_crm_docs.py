"""docs/crm.md names every key of the CRM file and none that is no key, and its examples are CRM files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from revplan.crm.file import crm_schema, read_crm_file
from revplan.crm.mapping import AmountColumn, Changed, DataFile, Entered, HistoryCrm, Origin, Rejected, Touches, WideCrm
from revplan.crm.presets import presets
from revplan.ground.errors import DataError
from revplan.run.workspace import BLANK_CRM

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "crm.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
KEYS = {
    field.alias or name
    for model in (WideCrm, HistoryCrm, DataFile, Entered, Origin, Changed, AmountColumn, Rejected, Touches)
    for name, field in model.model_fields.items()
} | {"preset"}


def documented() -> set[str]:
    """The keys in the first column of the page's tables."""
    firsts = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    return {key for first in firsts for key in re.findall(r"`(\w+)`", first)}


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    assert documented() == KEYS


def test_every_preset_is_named() -> None:
    assert [name for name in presets() if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_are_crm_files(tmp_path: Path, example: str) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(example, encoding="utf-8")
    if "preset" in example:
        with pytest.raises(DataError, match=r"there is no file 'all-contacts\.csv'"):
            read_crm_file(path)
    else:
        assert len(read_crm_file(path).crm.stage_ids()) >= 3


OTHERS = [
    (ROOT / "data" / "example" / "crm.yaml").read_text(encoding="utf-8"),
    BLANK_CRM,
    'preset: zoho\nfiles: {d: {path: d.csv}}\ndate_format: {d.Created Time: "%d/%m/%Y"}\n',
]


@pytest.mark.parametrize("text", [*EXAMPLES, *OTHERS], ids=range(len(EXAMPLES) + len(OTHERS)))
def test_the_schema_takes_what_is_right(text: str) -> None:
    jsonschema.validate(YAML(typ="safe").load(text), json.loads(json.dumps(crm_schema())))


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLES[1].replace("amount:", "amuont:"),
        EXAMPLES[1].replace("stages:", "stage:"),
        EXAMPLES[2].replace("at: CreatedDate", "at: [CreatedDate]"),
        EXAMPLES[0].replace("hubspot", "goldmine"),
        EXAMPLES[1].replace('decimal: ","', 'decimal: ";"'),
    ],
)
def test_the_schema_refuses_what_is_wrong(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(text), crm_schema())
