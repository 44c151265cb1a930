"""Checks, one file per chapter: for each exercise a generator of cases, under its name."""
