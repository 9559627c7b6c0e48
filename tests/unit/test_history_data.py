"""Real and public exports read as they are; skipped where the shared data are absent."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import read_records
from revplan.ground.lag import Lag
from revplan.rates.estimates import estimate_transitions, estimate_warnings, transitions_block
from revplan.rates.spells import open_items

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"

FOLDERS = ("olist_asof", "maven_crm_sales_opportunities", "fivetran_salesforce_seeds", "fivetran_hubspot_seeds")
needs_data = pytest.mark.skipif(
    not all((DATA / folder).is_dir() for folder in FOLDERS), reason="the shared data are not all there"
)


def crm_file(folder: Path, text: str) -> Path:
    path = folder / "crm.yaml"
    path.write_text(text.replace("DATA", str(DATA)), encoding="utf-8")
    return path


def olist(folder: Path, snapshot: str) -> Path:
    return crm_file(
        folder,
        f"""\
format: wide
files:
  leads: {{path: DATA/olist_asof/leads_asof_{snapshot}.csv, id: mql_id}}
  deals: {{path: DATA/olist_asof/closed_deals_asof_{snapshot}.csv, id: mql_id}}
stages: {{lead: leads.first_contact_date, won: deals.won_date}}
source: leads.origin
""",
    )


@needs_data
def test_olist_is_read_whole(tmp_path: Path) -> None:
    history = read_records(olist(tmp_path, "2018-04-30"))
    assert history.as_of == date(2018, 4, 30)
    assert len(history.records) == 6697
    assert (history.stage_history["stage"] == "won").sum() == 543
    lines = [str(line) for line in history.report]
    assert "won: dates before lead, moved up to it: 1 (2018-03-06 after 2018-03-08)" in lines
    assert not any("recorded only from" in line for line in lines)  # some outcomes of December are there
    (late,) = [line for line in lines if "2018-01-08" in line and line.startswith("won")]
    assert late.startswith("won: hardly recorded before 2018-01-08 (3 of 543); lead before then")


@needs_data
def test_olist_outcomes_were_recorded_late(tmp_path: Path) -> None:
    """Leads start in June 2017, closes on 2017-12-05, and in numbers in January: won / leads is far too low."""
    history = read_records(olist(tmp_path, "2018-01-31"))
    estimates = estimate_transitions(history, history.as_of)
    row = estimates.iloc[0]
    assert date(2017, 12, 5) <= row["recorded_from"].date() <= date(2018, 1, 15)
    assert row["rate"] > 4 * 76 / 3143
    assert not row["mature"]
    late, young = estimate_warnings(history, estimates)
    assert "only 3 outcomes are recorded before 2018-01-08, far fewer than later ones lead to expect" in late
    assert "not settled" in young


@needs_data
def test_olist_rates_foretell_the_wins_of_the_leads_known(tmp_path: Path) -> None:
    """Open leads by age at the January rates and lag, against the wins of February to April."""
    history = read_records(olist(tmp_path, "2018-01-31"))
    block = transitions_block(estimate_transitions(history, history.as_of))[0]
    lag, rate = Lag(**block["lag"]), block["rate"]
    items = open_items(history, history.as_of)
    age, days = items["age_days"].to_numpy(), (date(2018, 4, 30) - history.as_of).days
    chance = rate * (lag.cdf(age + days) - lag.cdf(age)) / (1 - rate * lag.cdf(age))
    with (DATA / "olist_asof" / "answers" / "answers.csv").open(encoding="utf-8") as file:
        answer = int(next(csv.DictReader(file))["wins_from_known"])
    assert items["items"] @ chance == pytest.approx(answer, rel=0.25)


MAVEN = """\
format: wide
files:
  pipeline: {path: DATA/maven_crm_sales_opportunities/sales_pipeline.csv, id: opportunity_id}
  products: {path: DATA/maven_crm_sales_opportunities/products.csv}
  teams: {path: DATA/maven_crm_sales_opportunities/sales_teams.csv}
stages:
  engaged: pipeline.engage_date
  won: {at: pipeline.close_date, field: pipeline.deal_stage, is: Won}
lost: {at: pipeline.close_date, field: pipeline.deal_stage, is: Lost}
product: pipeline.product
owner: pipeline.sales_agent
amount: pipeline.close_value
expected: {product: products.product, owner: teams.sales_agent}
"""


@needs_data
def test_maven_keeps_every_opportunity_counted(tmp_path: Path) -> None:
    history = read_records(crm_file(tmp_path, MAVEN))
    counts = {(line.part, line.what): line.count for line in history.report}
    assert counts["pipeline", "rows read"] == counts["pipeline", "rows kept"] == 8800
    assert counts["records", "kept"] == 8300
    assert counts["records", "set aside: no stage entered by the as-of day"] == 500  # prospects, without any date
    assert (history.stage_history["stage"] == "won").sum() == 4238
    assert history.records["lost_on"].notna().sum() == 2473
    assert open_items(history, history.as_of)["items"].sum() == 1589


@needs_data
def test_maven_warts_are_told(tmp_path: Path) -> None:
    lines = [str(line) for line in read_records(crm_file(tmp_path, MAVEN)).report]
    assert "product: not among the expected names: 1,480 ('GTXPro' 1,480, perhaps 'GTX Pro')" in lines
    assert (
        "records: zombies: open for more than 140 days, when none ever closed after day 138: 1,260 (of 1,589 open)"
    ) in lines
    assert (
        "owner: expected names without any record; keep them in the denominator: 5 "
        "(Carl Lin; Carol Thompson; Elizabeth Anderson; Mei-Mei Johns; Natalya Ivanova)"
    ) in lines


@needs_data
def test_maven_products_are_merged_only_where_asked(tmp_path: Path) -> None:
    apart = read_records(crm_file(tmp_path, MAVEN)).records["product"].value_counts()
    merged = read_records(crm_file(tmp_path, MAVEN + "merge_labels: true\n")).records["product"].value_counts()
    assert "GTX Pro" not in apart
    assert merged["GTX Pro"] == apart["GTXPro"]
    assert apart.sum() == merged.sum() == 8300


@needs_data
def test_salesforce_seed_with_a_close_before_its_creation(tmp_path: Path) -> None:
    crm = crm_file(
        tmp_path,
        """\
format: wide
files: {opps: {path: DATA/fivetran_salesforce_seeds/sf_opportunity_data.csv, id: id}}
stages:
  created: opps.created_date
  won: {at: opps.close_date, field: opps.is_won, is: true}
lost: {at: opps.close_date, field: opps.is_won, is: false}
amount: opps.amount
""",
    )
    history = read_records(crm)
    lines = [str(line) for line in history.report]
    assert "won: dates before created, moved up to it: 1 (2018-12-07 after 2018-12-19)" in lines
    assert len(history.records) == 10
    assert history.records["amount"].max() == 24_120_000


@needs_data
def test_hubspot_seed_of_stage_changes(tmp_path: Path) -> None:
    crm = crm_file(
        tmp_path,
        """\
format: history
path: DATA/fivetran_hubspot_seeds/deal_stage_data.csv
id: deal_id
at: date_entered
value: value
stages: {first: f66ca9bc5a02c2f1513ce83f0a0e117d, second: 09a969da1d61b38bd3746f0f49c1475a}
""",
    )
    history = read_records(crm)
    counts = {line.what: line.count for line in history.report}
    assert counts["rows read"] == counts["rows kept"] + counts["set aside: a value that is no stage"] == 14


def test_the_example_company_shows_its_true_rates() -> None:
    """In every cell of segment and source the rate is near the one its records were drawn with."""
    example = ROOT / "data" / "example"
    truth = pd.DataFrame(json.loads((example / "truth.json").read_text(encoding="utf-8"))["rates"])
    history = read_records(example / "crm.yaml")
    estimates = estimate_transitions(history, history.as_of).rename(columns={"from_stage": "from", "to_stage": "to"})
    cells = estimates.merge(truth, on=["from", "to", "segment", "source"], suffixes=("", "_true"))
    true = cells["rate_true"]
    errors = (cells["rate"] - true) / np.sqrt(true * (1 - true) / cells["evidence"])
    held = true.between(cells["rate_low"], cells["rate_high"])
    assert len(cells) >= 35
    assert errors.abs().max() < 3.5
    assert 0.65 <= held.mean() <= 0.95


def test_the_sources_of_the_example_company_enter_where_its_plan_says() -> None:
    history = read_records(ROOT / "data" / "example" / "crm.yaml")
    stages = history.stage_history.astype({"stage": "str"}).groupby("source")["stage"].agg(set)
    assert "lead" in stages["inbound"]
    assert not {"lead", "mql"} & stages["partner"]
    assert not {"lead", "mql", "sql"} & stages["outbound"]
