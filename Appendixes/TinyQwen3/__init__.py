"""Workshop: where the two small models of this repository were made.

- `how_the_small_models_were_made.ipynb`: data, loss, a training of your own, thoughts; begin here
"""
