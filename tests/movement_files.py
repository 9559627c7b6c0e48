"""CRM files whose amounts and close dates change: as a log of changes, and as exports of a day."""

LOG_CRM = """\
format: history
path: log.csv
id: id
at: at
field: field
is: [Stage]
value: new
records: {path: deals.csv, id: id}
changes: {amount: {is: Amount, old: old}, close_on: {is: Close, old: old}}
stages: {opp: {at: records.created}, proposal: Proposal, won: Won}
lost: [Lost]
amount: records.amount
close_on: records.close
segment: records.segment
owner: records.owner
"""

WIDE_CRM = """\
format: wide
files: {deals: {path: deals.csv, id: id}}
stages: {opp: deals.created, won: deals.won}
lost: deals.lost
amount: deals.amount
close_on: deals.close
segment: deals.segment
owner: deals.owner
"""
