"""Plans of one segment and one source, which tests of files and folders change: one with records, and the smallest there is."""

PLAN = """\
name: the plan
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 100_000}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {smb: {acv: 10_000}}
sources: {web: {cost_per_entry: 10}}
transitions:
  - {from: lead, to: sql, rate: 0.4, lag: {months: 1}}
  - {from: sql, to: won, rate: 0.25, lag: {median_days: 60, p90_days: 150}}
history: {leads: crm.yaml}
"""
CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
"""

# The smallest plan there is.
SINGLE = """name: the plan
year: {first_month: 2027-01}
goal: {new_arr: 100_000}
stages: single
segments: {all: {acv: 10_000}}
sources: {web: {}}
transitions: [{from: lead, to: won, rate: 0.1}]
"""
