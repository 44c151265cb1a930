"""The pictures of the chapters: charts, and drawings of ideas, each in one call that describes it.

- `charts.py`: bars and lines, described by their own numbers
- `canvas.py`: boxes, arrows, squares, token strips and trees, to draw ideas with
- `texts.py`: a text whose tokens are shaded by a number each
- `overview.py`: the way from a prompt to a graded answer, with a mark for the present chapter
- `chapter2.py`: tokens, the loop, attention, the cache, a batch, bytes and bandwidth
- `chapter3.py`: who gets an operand, the tree of an expression, intervals, levels
- `workshop.py`: documents and batches, what is learnt in them
- `chapter4.py`: distributions and darts, votes as squares, curves, the tries of a thought
"""
