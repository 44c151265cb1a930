"""Solutions, one file per chapter: the functions of the exercises, filled in."""
