"""What the exercises are checked with, one file a chapter; for each exercise a function of its
name.
"""
