"""Benchmark of decoding, `python -m CH2.benchmark`: our speed, the memory's limit, and others.

__main__: the command line; tasks: what is measured, in turns; runners: one timed run; peers,
llama_cpp: other packages; processes: a process per package; random_models: what all run;
loading: from disk to the first token; report: tables and picture.
"""

from Appendixes.command_line import stop_in_words

stop_in_words()
