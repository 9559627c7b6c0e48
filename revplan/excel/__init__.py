"""The plan as a workbook of Excel: inputs in cells, every result a formula, every formula's value the package's own."""
