"""Hints, one file per chapter: up to three for each exercise, under its name."""
