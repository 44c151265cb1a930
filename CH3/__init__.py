"""Chapter 3: the evaluation prompts, and the problems they are put around."""
