"""Networks, losses, training and painting.

Tensors are float32 N×3×H×W RGB in [-1, 1] everywhere in this package.
"""
