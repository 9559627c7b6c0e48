"""What is shown: charts, tables, sentences; a module a subject."""
