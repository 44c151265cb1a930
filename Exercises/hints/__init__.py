"""Up to three hints for each exercise, one file a chapter."""
