"""The workshop that made the two small models of this repository.

- `how_the_small_models_were_made.ipynb`: data, loss, a training of your own, thoughts; begin here
"""
